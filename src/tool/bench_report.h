// The results of `cma bench` for people and for programs.
#ifndef CMA_TOOL_BENCH_REPORT_H_
#define CMA_TOOL_BENCH_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tool/bench_results.h"

namespace cma::tool {

// How the measuring was done: names and values, for every report.
using BenchConditions = std::vector<std::pair<std::string, std::string>>;

// This machine: processor, CPUs, memory, kernel, libc, huge pages.
BenchConditions DescribeMachine();

// Tables of medians, one for each figure, each with cma (or the first allocator) over the best of
// the others, and a summary.
std::string TextReport(const BenchResults& results, const BenchConditions& conditions);

// One line for each sample.
std::string CsvReport(const BenchResults& results);

// Conditions, allocators, and for each row all samples and the medians. "version" grows when the
// form changes.
std::string JsonReport(const BenchResults& results, const BenchConditions& conditions);

// results.csv, results.json and report.html in the directory, which is made if need be.
absl::Status WriteReports(const std::string& directory, const BenchResults& results,
                          const BenchConditions& conditions);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_REPORT_H_
