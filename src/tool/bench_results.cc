#include "tool/bench_results.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace cma::tool {

bool BenchRow::Has(size_t figure) const {
  return std::find(figures.begin(), figures.end(), figure) != figures.end();
}

std::vector<size_t> BenchResults::Figures() const {
  std::vector<size_t> figures;
  for (size_t figure = 0; figure < kFigureCount; ++figure) {
    const bool any = std::any_of(rows.begin(), rows.end(),
                                 [&](const BenchRow& row) { return HasMedian(row, figure); });
    if (any) figures.push_back(figure);
  }
  return figures;
}

std::optional<double> BenchResults::Median(const BenchRow& row, size_t allocator,
                                           size_t figure) const {
  if (!row.Has(figure)) return std::nullopt;
  std::vector<double> all;
  std::vector<double> calm;
  for (const BenchSample& sample : row.samples[allocator]) {
    const std::optional<double>& value = sample.values[figure];
    if (!sample.error.empty() || !value.has_value()) continue;
    all.push_back(*value);
    if (!sample.disturbed) calm.push_back(*value);
  }
  std::vector<double>& used = calm.size() * 2 >= all.size() ? calm : all;
  if (used.empty()) return std::nullopt;
  std::sort(used.begin(), used.end());
  const size_t middle = used.size() / 2;
  return used.size() % 2 == 1 ? used[middle] : (used[middle - 1] + used[middle]) / 2;
}

bool BenchResults::HasMedian(const BenchRow& row, size_t figure) const {
  for (size_t a = 0; a < allocators.size(); ++a) {
    if (Median(row, a, figure).has_value()) return true;
  }
  return false;
}

std::optional<double> BenchResults::OverBestOther(const BenchRow& row, size_t allocator,
                                                  size_t figure) const {
  const auto cost = [&](size_t which) -> std::optional<double> {
    const std::optional<double> value = Median(row, which, figure);
    if (!value.has_value() || *value <= 0) return std::nullopt;
    return kFigures[figure].more_is_better ? 1 / *value : *value;
  };
  const std::optional<double> own = cost(allocator);
  std::optional<double> best;
  for (size_t other = 0; other < allocators.size(); ++other) {
    if (other == allocator) continue;
    const std::optional<double> value = cost(other);
    if (value.has_value() && (!best.has_value() || *value < *best)) best = value;
  }
  if (!own.has_value() || !best.has_value()) return std::nullopt;
  return *own / *best;
}

std::optional<double> BenchResults::MeanOverBestOther(size_t allocator, size_t figure) const {
  double sum = 0;
  size_t count = 0;
  for (const BenchRow& row : rows) {
    const std::optional<double> ratio = OverBestOther(row, allocator, figure);
    if (!ratio.has_value()) continue;
    sum += std::log(*ratio);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return std::exp(sum / static_cast<double>(count));
}

bool BenchResults::AreComparable() const {
  for (const size_t figure : Figures()) {
    for (size_t a = 0; a < allocators.size(); ++a) {
      if (MeanOverBestOther(a, figure).has_value()) return true;
    }
  }
  return false;
}

size_t BenchResults::Subject() const {
  for (size_t i = 0; i < allocators.size(); ++i) {
    if (allocators[i].name == "cma") return i;
  }
  return 0;
}

std::string BenchResults::Label(const BenchRow& row) {
  if (row.threads == 0) return row.name;
  return absl::StrCat(row.name, ", ", row.threads, row.threads == 1 ? " thread" : " threads");
}

}  // namespace cma::tool
