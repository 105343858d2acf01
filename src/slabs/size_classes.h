// Which sizes blocks come in.
//
// Every multiple of 16 up to 256 B, then 8 classes per doubling up to 16 KiB (one more after 4 KiB,
// where something is often put before a page), and 16 from there to 32 KiB. Finer classes waste less
// of each block and cost locality, as a freed block is found again by the next request of its class
// only; and the slabs of each are partly free. Chosen by thread_local_churn, simulated, slot_churn and
// steady_random (docs/performance.md). Small blocks, up to kSmallMax, come from slabs, the others
// from runs.
#ifndef CMA_SLABS_SIZE_CLASSES_H_
#define CMA_SLABS_SIZE_CLASSES_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"

namespace cma {

// Number of a size class, by size. Class 0 is none: no size has it and no list of it is filled.
using SizeClass = uint32_t;

namespace size_class_steps {

// Up to `last` bytes, classes are `step` bytes apart.
struct Range {
  size_t last;
  size_t step;
};
inline constexpr Range kRanges[] = {{256, 16},        {512, 32},         {1 * kKiB, 64},
                                    {2 * kKiB, 128},  {4608, 256},       {8 * kKiB, 512},
                                    {16 * kKiB, kKiB}, {32 * kKiB, kKiB}};

constexpr size_t CountUpTo(size_t bytes) {
  size_t count = 0;
  size_t from = 0;
  for (const Range& range : kRanges) {
    if (range.last > bytes) break;
    count += (range.last - from) / range.step;
    from = range.last;
  }
  return count;
}

}  // namespace size_class_steps

inline constexpr size_t kSmallClasses = 1 + size_class_steps::CountUpTo(kSmallMax);
inline constexpr size_t kSizeClasses = 1 + size_class_steps::CountUpTo(kMediumMax);
static_assert(kSizeClasses <= 256, "a class fits in a byte");

inline constexpr auto kClassBytes = [] {
  std::array<uint16_t, kSizeClasses> table{};
  size_t bytes = 0;
  SizeClass c = 1;
  for (const size_class_steps::Range& range : size_class_steps::kRanges) {
    while (bytes < range.last) table[c++] = static_cast<uint16_t>(bytes += range.step);
  }
  return table;
}();

constexpr size_t ClassBytes(SizeClass c) { return kClassBytes[c]; }

// The next class after `after` whose blocks can serve class `c` where those are short: they are wider
// by a quarter at most, and aligned as its own are. 0 if there is none. Small classes only.
constexpr SizeClass NextWider(SizeClass c, SizeClass after) {
  const size_t bytes = ClassBytes(c);
  const size_t alignment = bytes & -bytes;
  for (SizeClass d = after + 1; d < kSmallClasses && ClassBytes(d) <= bytes + bytes / 4; ++d) {
    if (ClassBytes(d) % alignment == 0) return d;
  }
  return 0;
}

// Largest blocks that a thread gets in whole cache lines where it can. No benchmark tells: larger
// ones share their first and last line at most.
inline constexpr size_t kLinesUpTo = 128;

// So many blocks in a row, from the start of a slab on, begin and end with a cache line: 1, 2 or 4.
constexpr size_t BlocksPerLines(SizeClass c) {
  const size_t bytes = ClassBytes(c);
  return bytes % 32 != 0 ? 4 : bytes % 64 != 0 ? 2 : 1;
}
static_assert(kMinAlignment == 16 && kCacheLineBytes == 64);

// The class of every size up to kTableMax; size 0 has that of 1.
using SizeClassTable = std::array<uint8_t, kTableMax + 1>;
inline constexpr SizeClassTable kSizeClassOf = [] {
  SizeClassTable table{};
  SizeClass c = 1;
  for (size_t size = 0; size <= kTableMax; ++size) {
    if (size > kClassBytes[c]) ++c;
    table[size] = static_cast<uint8_t>(c);
  }
  return table;
}();

// The class that holds so many granules.
inline constexpr auto kClassOfRoundedGranules = [] {
  std::array<uint8_t, kMediumMax / kGranuleBytes + 1> table{};
  SizeClass c = 1;
  for (size_t n = 0; n < table.size(); ++n) {
    while (n * kGranuleBytes > kClassBytes[c]) ++c;
    table[n] = static_cast<uint8_t>(c);
  }
  return table;
}();

// The same for larger sizes. REQUIRES: kTableMax < size <= kMediumMax.
constexpr SizeClass LargerClassOf(size_t size) {
  return kClassOfRoundedGranules[(size + kGranuleBytes - 1) / kGranuleBytes];
}

// The class that holds `size` bytes; size 0 has that of 1. REQUIRES: size <= kMediumMax.
constexpr SizeClass ClassOf(size_t size) {
  return size <= kTableMax ? kSizeClassOf[size] : LargerClassOf(size);
}

// Medium class of a run by its length in granules; 0 for a length that no class has. (A run that
// was resized in place may have one; it does not wait in a list.)
inline constexpr auto kClassOfGranules = [] {
  std::array<uint8_t, kMediumMax / kGranuleBytes + 1> table{};
  for (SizeClass c = kSmallClasses; c < kSizeClasses; ++c) {
    table[kClassBytes[c] / kGranuleBytes] = static_cast<uint8_t>(c);
  }
  return table;
}();

// ceil(2^32 / block bytes): offset * this >> 32 is the block's index in its slab. Exact for offsets
// below 64 KiB. Source: Lemire, Kaser, Kurz, "Faster remainder by direct computation", 2019.
inline constexpr auto kReciprocal = [] {
  std::array<uint32_t, kSmallClasses> table{};
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const uint64_t bytes = kClassBytes[c];
    table[c] = static_cast<uint32_t>(((uint64_t{1} << 32) + bytes - 1) / bytes);
  }
  return table;
}();

// Whether a block of the slab starts at the offset. The low 32 bits of the product are the remainder
// in units of 2^32 / block bytes, which is 2^22 or more, plus an error that is at most the offset,
// which is below 2^16. So the border is any number between the two, and a constant for all classes.
inline constexpr uint32_t kMostForStart = kUnitBytes - 1;
constexpr bool IsBlockStart(uint32_t offset, uint32_t reciprocal) {
  return offset * reciprocal <= kMostForStart;
}
static_assert(kUnitBytes <= (uint64_t{1} << 32) / kSmallMax / 2);
// What a block's start has at most; it and a size class make no more than kMostForStart together.
inline constexpr uint32_t kLargestRemainder = [] {
  uint32_t largest = 0;
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t last = kUnitBytes / kClassBytes[c] * kClassBytes[c];
    for (size_t offset = 0; offset < kUnitBytes && offset <= last; offset += kClassBytes[c]) {
      largest = std::max(largest, static_cast<uint32_t>(offset) * kReciprocal[c]);
    }
  }
  return largest;
}();
static_assert(kLargestRemainder + kSizeClasses <= kMostForStart);

namespace size_class_checks {

constexpr bool TableIsSound() {
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    const size_t bytes = ClassBytes(c);
    const size_t below = ClassBytes(c - 1);
    if (bytes % kMinAlignment != 0 || bytes <= below) return false;
    if (ClassOf(bytes) != c || ClassOf(below + 1) != c) return false;
    // Waste of the worst request, below + 1 bytes, is at most an eighth above 128 bytes.
    if (below >= 128 && (bytes - below - 1) * 8 > bytes) return false;
    // There are at least 8 per doubling.
    if (below >= 128 && (bytes - below) * 8 > std::bit_floor(below)) return false;
    if (c >= kSmallClasses && bytes % kGranuleBytes != 0) return false;
    // A multiple of an alignment up to a granule rounds up to a multiple of it.
    const size_t step = bytes - below;
    if ((step & (step - 1)) != 0 || bytes % step != 0) return false;
  }
  return ClassBytes(kSmallClasses - 1) == kSmallMax && ClassBytes(kSizeClasses - 1) == kMediumMax;
}
static_assert(TableIsSound());

constexpr bool ReciprocalsAreExact() {
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    for (uint64_t offset = 0; offset < kUnitBytes; offset += 8) {
      const uint64_t product = offset * kReciprocal[c];
      const bool multiple = static_cast<uint32_t>(product) < kReciprocal[c];
      if (multiple != (offset % ClassBytes(c) == 0)) return false;
      if ((product >> 32) != offset / ClassBytes(c)) return false;
    }
  }
  return true;
}

}  // namespace size_class_checks

}  // namespace cma

#endif  // CMA_SLABS_SIZE_CLASSES_H_
