// Which files a running process consists of, as /proc shows it from outside.
#ifndef CMA_TOOL_PROCESS_FILES_H_
#define CMA_TOOL_PROCESS_FILES_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tool/loaded_file.h"

namespace cma::tool {

// Errors: there is no such process, or the caller may not look at it.
absl::StatusOr<LoadedFiles> FilesOfProcess(pid_t pid);

// The value that the variable had when the process was started; empty if it was not set.
std::string VariableOfProcess(pid_t pid, absl::string_view name);

// The files in the text of a /proc/PID/maps of which code is mapped, each once; a file that was
// deleted or replaced keeps the kernel's " (deleted)".
std::vector<std::string> ParseMaps(absl::string_view maps);

}  // namespace cma::tool

#endif  // CMA_TOOL_PROCESS_FILES_H_
