// What the system grants a process, as far as an allocator has to do with it.
#ifndef CMA_TOOL_SYSTEM_FACTS_H_
#define CMA_TOOL_SYSTEM_FACTS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cma::tool {

// Several lines: page size, transparent huge pages, overcommit, limits, rseq, and what cma makes of
// each. `pid` 0 is this process; `options` is the CMA_OPTIONS that counts.
std::string SystemFacts(pid_t pid, absl::string_view options);

// The tightest number that the files `name` hold in the cgroup `group` (as "/a/b") and those above
// it, below `root`; 0 if none sets one ("max").
uint64_t TightestLimit(const std::string& root, absl::string_view group, absl::string_view name);

}  // namespace cma::tool

#endif  // CMA_TOOL_SYSTEM_FACTS_H_
