// The plots of the HTML report, as SVG.
#ifndef CMA_TOOL_BENCH_CHART_H_
#define CMA_TOOL_BENCH_CHART_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "tool/bench_results.h"

namespace cma::tool {

// The allocator's colour, as a class of the style sheet, and its mark.
inline constexpr size_t kChartColours = 8;

// One program's figure against threads, a line for each allocator; with bars instead if the program
// ran at one number of threads only. Empty if there is nothing to draw.
std::string FigureChart(const BenchResults& results, absl::string_view program, size_t figure);

// The line, mark and name of each allocator.
std::string ChartLegend(const BenchResults& results);

// `text` for HTML and SVG.
std::string EscapeHtml(absl::string_view text);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_CHART_H_
