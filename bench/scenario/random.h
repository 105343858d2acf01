#ifndef CMA_BENCH_SCENARIO_RANDOM_H_
#define CMA_BENCH_SCENARIO_RANDOM_H_

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace scenario {

// SplitMix64 (Steele, Lea and Flood, 2014): a few cycles per number, so that the random choice
// stays small beside the allocation it steers.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound). REQUIRES: 0 < bound < 2^32.
  size_t Below(size_t bound) { return ((Next() >> 32) * bound) >> 32; }

  // Uniform in [low, high].
  size_t Between(size_t low, size_t high) { return low + Below(high - low + 1); }

  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  bool Percent(size_t chance) { return Below(100) < chance; }

 private:
  uint64_t state_;
};

// Block sizes drawn in advance: logarithms and powers stay out of the measured loop. 1,024 entries
// of 4 bytes leave most of the first-level cache to the allocator.
class SizeTable {
 public:
  static SizeTable Uniform(size_t low, size_t high) {
    return SizeTable([=](double u) { return low + u * static_cast<double>(high - low + 1); });
  }

  // Every doubling between low and high equally likely.
  static SizeTable LogUniform(size_t low, size_t high) {
    const double ratio = static_cast<double>(high) / static_cast<double>(low);
    return SizeTable([=](double u) { return static_cast<double>(low) * std::pow(ratio, u); });
  }

  // Bounded Pareto: most blocks near low, a heavy tail up to high.
  static SizeTable Pareto(size_t low, size_t high, double alpha) {
    const double span = 1 - std::pow(static_cast<double>(low) / static_cast<double>(high), alpha);
    return SizeTable(
        [=](double u) { return static_cast<double>(low) / std::pow(1 - u * span, 1 / alpha); });
  }

  size_t Pick(Random& random) const { return sizes_[random.Next() % kEntries]; }

  double Mean() const {
    double sum = 0;
    for (uint32_t size : sizes_) sum += size;
    return sum / kEntries;
  }

 private:
  static constexpr size_t kEntries = 1024;

  // Entry i is the (i + 1/2)/1024 quantile: the table has no luck of its own.
  template <typename Quantile>
  explicit SizeTable(Quantile quantile) {
    for (size_t i = 0; i < kEntries; ++i) {
      sizes_[i] = static_cast<uint32_t>(quantile((static_cast<double>(i) + 0.5) / kEntries));
    }
  }

  std::array<uint32_t, kEntries> sizes_;
};

}  // namespace scenario

#endif  // CMA_BENCH_SCENARIO_RANDOM_H_
