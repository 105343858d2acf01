// What the text and the HTML report of `cma bench` have in common.
#ifndef CMA_TOOL_BENCH_FORMAT_H_
#define CMA_TOOL_BENCH_FORMAT_H_

#include <optional>
#include <string>

#include "tool/bench_results.h"

namespace cma::tool {

// Three significant digits, large numbers whole; "-" for nothing.
std::string Number(std::optional<double> value);

// Two decimals; "-" for nothing.
std::string Ratio(std::optional<double> value);

// The median in the unit of tables.
std::optional<double> Shown(const BenchResults& results, const BenchRow& row, size_t allocator,
                            size_t figure);

// Lines about runs that were disturbed or failed; empty if there were none.
std::string Complaints(const BenchResults& results);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_FORMAT_H_
