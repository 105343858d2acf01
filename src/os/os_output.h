// Writing bytes to a descriptor and ending the process. No allocation; errno is kept.
#ifndef CMA_OS_OS_OUTPUT_H_
#define CMA_OS_OS_OUTPUT_H_

#include <cstddef>

namespace cma {

// Writes all of `text`, as far as the descriptor takes it; 0, or the error that ended it.
int OsWrite(int fd, const char* text, size_t length);

// Keeps standard error for the end of the process: programs close it in their last handlers, or
// give its number to a file of their own. Costs a descriptor; the first call counts.
void OsKeepErrors();

// A descriptor of the file that standard error was at OsKeepErrors(), or -1 if there is none any
// more.
int OsKeptErrors();

// abort(3).
[[noreturn]] void OsAbort();

// Value of an environment variable; nullptr if unset, if the environment is not there yet, or if the
// program runs with more rights than its user (set-user-ID).
const char* OsEnvironment(const char* name);

}  // namespace cma

#endif  // CMA_OS_OS_OUTPUT_H_
