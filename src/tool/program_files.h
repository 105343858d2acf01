// Which files a program would consist of if it were started.
#ifndef CMA_TOOL_PROGRAM_FILES_H_
#define CMA_TOOL_PROGRAM_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tool/loaded_file.h"

namespace cma::tool {

// Asks the dynamic loader, which resolves the libraries of `executable` but does not run it, with
// LD_PRELOAD set to `preload`. A static executable is one file. Errors: the file is not ELF, or its
// loader does not answer as glibc's does.
absl::StatusOr<LoadedFiles> FilesOfProgram(const std::string& executable,
                                           const std::string& preload);

// The paths in what glibc's loader lists, in its order; names it did not find go to `missing`.
std::vector<std::string> ParseLoaderList(absl::string_view list, std::vector<std::string>& missing);

}  // namespace cma::tool

#endif  // CMA_TOOL_PROGRAM_FILES_H_
