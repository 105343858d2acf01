// Where a block of some size and alignment comes from. No state.
#ifndef CMA_HEAPS_BLOCK_SHAPE_H_
#define CMA_HEAPS_BLOCK_SHAPE_H_

#include <algorithm>
#include <cstddef>

#include "slabs/size_classes.h"

namespace cma {

// Shortest run that is given out: the smallest medium class, so that it can wait in its list.
inline constexpr size_t kShortestRun = ClassBytes(kSmallClasses);

// Bytes of the run for a block of `size` that does not come from a list.
inline size_t RunBytes(size_t size) {
  if (size <= kShortestRun) return kShortestRun;
  if (size <= kMediumMax) return ClassBytes(LargerClassOf(size));
  return RoundUp(size, kLargeStep);
}

struct BlockShape {
  enum Kind { kClass, kRun, kHuge };
  Kind kind;
  SizeClass size_class;  // kClass only
  size_t bytes;          // the block is as long at least
  size_t alignment;      // kRun and kHuge: what to ask for
};

// REQUIRES: size <= PTRDIFF_MAX; alignment is a power of two.
inline BlockShape ShapeOf(size_t size, size_t alignment) {
  const auto of_class = [](SizeClass c) {
    return BlockShape{BlockShape::kClass, c, ClassBytes(c), kMinAlignment};
  };
  // Slabs start at a multiple of their size: a block size that is a multiple of the alignment
  // puts every block on one.
  const size_t rounded = RoundUp(std::max<size_t>(size, 1), alignment);
  if (rounded <= kSmallMax) return of_class(ClassOf(rounded));
  if (size > kSmallMax && size <= kMediumMax && alignment <= kGranuleBytes) {
    return of_class(LargerClassOf(size));
  }
  if (size <= kLargeMax && alignment <= kLargeMax) {
    return {BlockShape::kRun, 0, RunBytes(size), std::max(alignment, kGranuleBytes)};
  }
  return {BlockShape::kHuge, 0, std::max(size, kLargeMax + 1), alignment};
}

}  // namespace cma

#endif  // CMA_HEAPS_BLOCK_SHAPE_H_
