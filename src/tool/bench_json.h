// The results of `cma bench` for programs. bench/README.md describes the form.
#ifndef CMA_TOOL_BENCH_JSON_H_
#define CMA_TOOL_BENCH_JSON_H_

#include <string>

#include "tool/bench_conditions.h"
#include "tool/bench_results.h"

namespace cma::tool {

// Conditions, allocators, figures, and for each row medians, ratios and all samples. "version"
// grows when a reader of the old form would misunderstand the new one.
std::string JsonReport(const BenchResults& results, const BenchConditions& conditions);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_JSON_H_
