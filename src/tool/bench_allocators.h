// The allocators that `cma bench` compares: cma, the C library's, and what is installed.
#ifndef CMA_TOOL_BENCH_ALLOCATORS_H_
#define CMA_TOOL_BENCH_ALLOCATORS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cma::tool {

struct BenchAllocator {
  std::string name;
  std::string library;       // absolute path, to be preloaded
  std::string version = {};  // of the package that it belongs to; empty: unknown
};

// Those that are asked for, by name or as name=/path.so; all that are found, cma first, if `wanted`
// is empty. NotFound or InvalidArgument, with a message for the user, if one of them is not there
// or is no allocator.
absl::StatusOr<std::vector<BenchAllocator>> FindAllocators(const std::vector<std::string>& wanted);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_ALLOCATORS_H_
