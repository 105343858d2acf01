// Under which conditions `cma bench` has measured: what a reader needs to judge or repeat it.
#ifndef CMA_TOOL_BENCH_CONDITIONS_H_
#define CMA_TOOL_BENCH_CONDITIONS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tool/bench_request.h"
#include "tool/command.h"

namespace cma::tool {

// Names and values, for every report.
using BenchConditions = std::vector<std::pair<std::string, std::string>>;

// The machine (processor, CPUs, memory, kernel, libc, huge pages, load), compiler and flags of the
// scenarios, the variables of the environment that allocators read, the command and the method.
BenchConditions DescribeConditions(const BenchRequest& request, Arguments arguments);

// Rewrites the method: the user has ended the measuring after `done` of `all` runs.
void DescribeInterrupt(const BenchRequest& request, size_t done, size_t all,
                       BenchConditions& conditions);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_CONDITIONS_H_
