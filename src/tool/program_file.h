// The program that `cma run` is to start: where it is, and whether a preload reaches it.
#ifndef CMA_TOOL_PROGRAM_FILE_H_
#define CMA_TOOL_PROGRAM_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cma::tool {

// The file that execvp(3) would execute for `name`. NotFound if there is none; PermissionDenied if
// there is one that cannot be executed.
absl::StatusOr<std::string> FindProgram(absl::string_view name);

// The binary that the kernel executes for `path`: itself or, if that is a script, its interpreter.
std::string ExecutedBinary(const std::string& path);

// Why the dynamic loader would not preload a library into `path` or, if that is a script, into its
// interpreter: the end of a sentence about the program. Empty if nothing speaks against it.
std::string PreloadObstacle(const std::string& path);

}  // namespace cma::tool

#endif  // CMA_TOOL_PROGRAM_FILE_H_
