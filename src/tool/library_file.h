// The shared library that `cma run` preloads.
#ifndef CMA_TOOL_LIBRARY_FILE_H_
#define CMA_TOOL_LIBRARY_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace cma::tool {

// Absolute path of the libcma.so that belongs to this tool: in its own directory (a build tree) or
// in the lib directory beside it (an installation).
absl::StatusOr<std::string> FindLibrary();

// Absolute path of the library at `path`, checked to be one that LD_PRELOAD can name and the loader
// takes, and to be an allocator.
absl::StatusOr<std::string> CheckLibrary(const std::string& path);

}  // namespace cma::tool

#endif  // CMA_TOOL_LIBRARY_FILE_H_
