// Options of the running process; see cma_option_set() and cma_option_get().
#ifndef CMA_FRONT_OPTION_CALLS_H_
#define CMA_FRONT_OPTION_CALLS_H_

#include <cstddef>

namespace cma {

// Both return 0, or -1 with errno set. Any thread.
int ChangeOption(const char* name, const char* value);
int OptionText(const char* name, char* value, size_t size);

}  // namespace cma

#endif  // CMA_FRONT_OPTION_CALLS_H_
