// What `cma bench` has measured: every sample, and the medians and ratios that tables are made of.
#ifndef CMA_TOOL_BENCH_RESULTS_H_
#define CMA_TOOL_BENCH_RESULTS_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tool/bench_allocators.h"

namespace cma::tool {

struct Figure {
  absl::string_view key;     // in files
  absl::string_view output;  // in what a program prints
  absl::string_view title;   // in tables and plots, with the unit there
  double table_unit;         // what tables divide values by
  bool more_is_better;
};

// Order of the values in a sample, and of tables.
inline constexpr Figure kFigures[] = {
    {"ops_per_second", "ops_per_second", "million operations per second", 1e6, true},
    {"seconds", "seconds", "wall time, s", 1, false},
    {"cpu_seconds", "cpu_seconds", "processor time, s", 1, false},
    {"peak_rss_kib", "peak_rss_kib", "peak RSS, MiB", 1024, false},
    {"rest_rss_kib", "rss_rest_kib", "RSS at rest, MiB", 1024, false},
    {"malloc_p50_ns", "malloc_p50_ns", "malloc, median, ns", 1, false},
    {"malloc_p99_ns", "malloc_p99_ns", "malloc, 99 %, ns", 1, false},
    {"malloc_p9999_ns", "malloc_p9999_ns", "malloc, 99.99 %, ns", 1, false},
    {"malloc_max_ns", "malloc_max_ns", "malloc, longest, ns", 1, false},
    {"free_p50_ns", "free_p50_ns", "free, median, ns", 1, false},
    {"free_p99_ns", "free_p99_ns", "free, 99 %, ns", 1, false},
    {"free_p9999_ns", "free_p9999_ns", "free, 99.99 %, ns", 1, false},
    {"free_max_ns", "free_max_ns", "free, longest, ns", 1, false},
};
enum FigureIndex : size_t {
  kThroughput,
  kSeconds,
  kCpuSeconds,
  kPeakRss,
  kRestRss,
  kFirstLatency,
  kFigureCount = kFirstLatency + 8
};
static_assert(std::size(kFigures) == kFigureCount);

struct BenchSample {
  std::array<std::optional<double>, kFigureCount> values;
  bool disturbed = false;
  std::string error;  // empty: none
};

// One program at one number of threads, under each allocator.
struct BenchRow {
  std::string name;
  int threads = 0;                                // 0: the program's own affair
  std::vector<size_t> figures;                    // those that count here; samples may have more
  std::vector<std::vector<BenchSample>> samples;  // by allocator, in the order of the results
  std::string what = {};                          // one line on the program; may be empty

  bool Has(size_t figure) const;
};

struct BenchResults {
  std::vector<BenchAllocator> allocators;
  std::vector<BenchRow> rows;

  // Those with a median in some row, in the order of kFigures.
  std::vector<size_t> Figures() const;

  // Median of the undisturbed samples if they are half of the good ones or more, else of all good
  // ones; nothing if there is none, or if the figure does not count in this row.
  std::optional<double> Median(const BenchRow& row, size_t allocator, size_t figure) const;

  // Whether any allocator has one.
  bool HasMedian(const BenchRow& row, size_t figure) const;

  // How many times as much as the best of the other allocators it takes (below 1: it is ahead);
  // nothing if there is none to compare with.
  std::optional<double> OverBestOther(const BenchRow& row, size_t allocator, size_t figure) const;

  // Geometric mean of that over all rows that have it.
  std::optional<double> MeanOverBestOther(size_t allocator, size_t figure) const;

  // Whether there is such a mean at all: two allocators have done something of the same.
  bool AreComparable() const;

  // The allocator whose ratios the tables show: cma, else the first.
  size_t Subject() const;

  // "slot_churn, 2 threads".
  static std::string Label(const BenchRow& row);
};

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_RESULTS_H_
