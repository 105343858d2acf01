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

// Errors: there is no such process, it has no memory, or the caller may not look at it. Libraries
// that were replaced since can be read by root only; else they are among the unreadable ones.
absl::StatusOr<LoadedFiles> FilesOfProcess(pid_t pid);

// The value that the variable had when the process was started; empty if it was not set.
std::string VariableOfProcess(pid_t pid, absl::string_view name);

struct MappedFile {
  std::string path;   // with the kernel's " (deleted)" if it was deleted or replaced
  std::string range;  // of the addresses of its code, as in /proc/PID/map_files
};

// The files in the text of a /proc/PID/maps of which code is mapped, each once.
std::vector<MappedFile> ParseMaps(absl::string_view maps);

}  // namespace cma::tool

#endif  // CMA_TOOL_PROCESS_FILES_H_
