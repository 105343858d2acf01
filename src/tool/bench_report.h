// The results of `cma bench` as text on a terminal, as CSV, and as files.
#ifndef CMA_TOOL_BENCH_REPORT_H_
#define CMA_TOOL_BENCH_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "tool/bench_conditions.h"
#include "tool/bench_results.h"

namespace cma::tool {

// Tables of medians, one for each figure, each with cma (or the first allocator) over the best of
// the others, and a summary.
std::string TextReport(const BenchResults& results, const BenchConditions& conditions);

// One line for each sample.
std::string CsvReport(const BenchResults& results);

// Makes the directory if need be; an error, with a message for the user, if reports cannot be
// written there.
absl::Status PrepareReports(const std::string& directory);

// results.csv, results.json and report.html in the directory.
absl::Status WriteReports(const std::string& directory, const BenchResults& results,
                          const BenchConditions& conditions);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_REPORT_H_
