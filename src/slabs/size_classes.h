// Which sizes blocks come in.
//
// Small: every multiple of 16 up to 1 KiB. The index is then an addition and a mask, without a
// table, and a block wastes at most 15 bytes. Medium: 16 classes per doubling up to 32 KiB, so
// that the waste stays under 1/16.
#ifndef CMA_SLABS_SIZE_CLASSES_H_
#define CMA_SLABS_SIZE_CLASSES_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"

namespace cma {

inline constexpr size_t kSmallClasses = kSmallMax / kMinAlignment + 1;  // class 0 is never filled
inline constexpr unsigned kFirstMediumLog = 10;
inline constexpr unsigned kLastMediumLog = 15;
inline constexpr size_t kMediumClasses = (kLastMediumLog - kFirstMediumLog) * 16;
inline constexpr size_t kSizeClasses = kSmallClasses + kMediumClasses;
static_assert(size_t{1} << kFirstMediumLog == kSmallMax);
static_assert(size_t{1} << kLastMediumLog == kMediumMax);

// Number of a size class: block bytes / 16 for small ones, then the medium ones in order.
using SizeClass = uint32_t;

// REQUIRES: kSmallMax < size <= kMediumMax.
constexpr SizeClass MediumClassOf(size_t size) {
  // The 1 tells the compiler that this is not 0, and is never the highest bit.
  const auto log = static_cast<unsigned>(std::bit_width((size - 1) | 1)) - 1;
  const auto sixteenth = static_cast<SizeClass>((size - 1) >> (log - 4));  // 16..31
  return static_cast<SizeClass>(kSmallClasses) + (log - kFirstMediumLog) * 16 + sixteenth - 16;
}

// The class that holds `size` bytes; size 0 has that of 1. REQUIRES: size <= kMediumMax.
constexpr SizeClass ClassOf(size_t size) {
  if (size > kSmallMax) return MediumClassOf(size);
  return size == 0 ? 1 : static_cast<SizeClass>((size + kMinAlignment - 1) / kMinAlignment);
}

constexpr size_t ComputeClassBytes(SizeClass c) {
  if (c < kSmallClasses) return c * kMinAlignment;
  const unsigned m = c - static_cast<unsigned>(kSmallClasses);
  return static_cast<size_t>(m % 16 + 17) << (m / 16 + kFirstMediumLog - 4);
}

inline constexpr auto kClassBytes = [] {
  std::array<uint16_t, kSizeClasses> table{};
  for (SizeClass c = 0; c < kSizeClasses; ++c) {
    table[c] = static_cast<uint16_t>(ComputeClassBytes(c));
  }
  return table;
}();

constexpr size_t ClassBytes(SizeClass c) { return kClassBytes[c]; }

// Medium class of a run by its length in granules; 0 for a length that no class has. (A run that
// was resized in place may have one; it does not wait in a list.)
inline constexpr auto kClassOfGranules = [] {
  std::array<uint8_t, kMediumMax / kGranuleBytes + 1> table{};
  for (size_t n = kSmallMax / kGranuleBytes + 1; n < table.size(); ++n) {
    const SizeClass c = MediumClassOf(n * kGranuleBytes);
    table[n] = static_cast<uint8_t>(ClassBytes(c) == n * kGranuleBytes ? c : 0);
  }
  return table;
}();
static_assert(kSizeClasses <= 256);

// ceil(2^32 / block bytes): offset * this >> 32 is the block's index in its slab. Exact for offsets
// below 64 KiB. Source: Lemire, Kaser, Kurz, "Faster remainder by direct computation", 2019.
inline constexpr auto kReciprocal = [] {
  std::array<uint32_t, kSmallClasses> table{};
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const uint64_t bytes = c * kMinAlignment;
    table[c] = static_cast<uint32_t>(((uint64_t{1} << 32) + bytes - 1) / bytes);
  }
  return table;
}();

// Whether a block of the slab starts at the offset. The low 32 bits of the product are the remainder
// in units of 2^32 / block bytes, which is 2^22 or more, plus an error that is at most the offset.
// So the border is any number between the two, and a constant for all classes.
constexpr bool IsBlockStart(uint32_t offset, uint32_t reciprocal) {
  return offset * reciprocal < kUnitBytes;
}
static_assert(kUnitBytes <= (uint64_t{1} << 32) / kSmallMax / 2);

namespace size_class_checks {

constexpr bool TableIsSound() {
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    const size_t bytes = ClassBytes(c);
    const size_t below = ClassBytes(c - 1);
    if (bytes % kMinAlignment != 0 || bytes <= below) return false;
    if (ClassOf(bytes) != c || ClassOf(below + 1) != c) return false;
    // Waste of the worst request, below + 1 bytes, is at most an eighth above 128 bytes.
    if (below >= 128 && (bytes - below - 1) * 8 > bytes) return false;
    if (c >= kSmallClasses && bytes % kGranuleBytes != 0) return false;
  }
  return ClassBytes(kSizeClasses - 1) == kMediumMax;
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
