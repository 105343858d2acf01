// Sizes at which an allocator may change its mind: every multiple of 16 and its neighbours up to
// 1,040, the neighbours of each power of two and of its eighths, and the limits between the kinds
// of blocks.
#ifndef CMA_TESTS_SUPPORT_INTERESTING_SIZES_H_
#define CMA_TESTS_SUPPORT_INTERESTING_SIZES_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace cma_test {

inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;
inline constexpr size_t kGiB = 1024 * kMiB;

inline void AddWithNeighbours(std::vector<size_t>& sizes, size_t size) {
  if (size > 0) sizes.push_back(size - 1);
  sizes.push_back(size);
  sizes.push_back(size + 1);
}

// In ascending order, without duplicates, none above `largest`.
inline std::vector<size_t> InterestingSizes(size_t largest) {
  std::vector<size_t> sizes;
  for (size_t size = 0; size <= 1040; size += 16) AddWithNeighbours(sizes, size);
  for (size_t power = kKiB; power <= 64 * kMiB; power *= 2) {
    const size_t steps = power < kMiB ? 8 : 2;
    for (size_t i = 0; i < steps; ++i) AddWithNeighbours(sizes, power + power / steps * i);
  }
  for (size_t page = 4 * kKiB; page <= 64 * kKiB; page += 4 * kKiB) AddWithNeighbours(sizes, page);
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  sizes.erase(std::upper_bound(sizes.begin(), sizes.end(), largest), sizes.end());
  return sizes;
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_INTERESTING_SIZES_H_
