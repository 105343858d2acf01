#include "tool/bench_format.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cma::tool {

std::string Number(std::optional<double> value) {
  if (!value.has_value()) return "-";
  const double size = std::fabs(*value);
  if (size >= 100) return absl::StrFormat("%.0f", *value);
  if (size >= 10) return absl::StrFormat("%.1f", *value);
  return size >= 1 ? absl::StrFormat("%.2f", *value) : absl::StrFormat("%#.3g", *value);
}

std::string Ratio(std::optional<double> value) {
  return value.has_value() ? absl::StrFormat("%.2f", *value) : "-";
}

std::optional<double> Shown(const BenchResults& results, const BenchRow& row, size_t allocator,
                            size_t figure) {
  std::optional<double> value = results.Median(row, allocator, figure);
  if (value.has_value()) *value /= kFigures[figure].table_unit;
  return value;
}

std::string Complaints(const BenchResults& results) {
  std::string text;
  size_t disturbed = 0;
  size_t all = 0;
  std::string errors;
  for (const BenchRow& row : results.rows) {
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      for (const BenchSample& sample : row.samples[a]) {
        ++all;
        if (sample.disturbed) ++disturbed;
        if (sample.error.empty()) continue;
        absl::StrAppend(&errors, "  ", BenchResults::Label(row), ", ", results.allocators[a].name,
                        ": ", sample.error, "\n");
      }
    }
  }
  if (disturbed != 0) {
    absl::StrAppend(&text, "\n", disturbed, " of ", all,
                    " runs were disturbed by other processes; each was repeated once, and medians "
                    "leave them out where half of the runs or more were calm\n");
  }
  if (!errors.empty()) absl::StrAppend(&text, "\nwhat did not work:\n", errors);
  return text;
}

}  // namespace cma::tool
