// Which package of the distribution a file came with.
#ifndef CMA_TOOL_PACKAGE_VERSION_H_
#define CMA_TOOL_PACKAGE_VERSION_H_

#include <string>

namespace cma::tool {

// "libjemalloc2 5.3.0-1", as dpkg-query tells it; empty if it does not know the file.
std::string PackageVersion(const std::string& path);

}  // namespace cma::tool

#endif  // CMA_TOOL_PACKAGE_VERSION_H_
