// `cma bench`: which allocator is the best one for this program, on this machine?
#ifndef CMA_TOOL_BENCH_COMMAND_H_
#define CMA_TOOL_BENCH_COMMAND_H_

#include "tool/command.h"

namespace cma::tool {

extern const Command kBenchCommand;

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_COMMAND_H_
