// The report of `cma bench` as a page that needs no other file.
#ifndef CMA_TOOL_BENCH_HTML_H_
#define CMA_TOOL_BENCH_HTML_H_

#include <string>

#include "tool/bench_conditions.h"
#include "tool/bench_results.h"

namespace cma::tool {

// Summary, plots of each program over threads, tables of medians, and how it was measured.
std::string HtmlReport(const BenchResults& results, const BenchConditions& conditions);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_HTML_H_
