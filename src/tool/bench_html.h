// The report of `cma bench` as a page that needs no other file.
#ifndef CMA_TOOL_BENCH_HTML_H_
#define CMA_TOOL_BENCH_HTML_H_

#include <string>

#include "tool/bench_report.h"
#include "tool/bench_results.h"

namespace cma::tool {

// Summary, throughput against threads, tables of medians, and how it was measured.
std::string HtmlReport(const BenchResults& results, const BenchConditions& conditions);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_HTML_H_
