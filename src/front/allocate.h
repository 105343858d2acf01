// Allocation and deallocation as every entry point uses them: the hit inline, the rest one call.
#ifndef CMA_FRONT_ALLOCATE_H_
#define CMA_FRONT_ALLOCATE_H_

#include <cstddef>
#include <cstdint>

#include "cache/thread_cache.h"
#include "central/address_map.h"
#include "front/found_block.h"

namespace cma {

// All of these return nullptr and set errno to ENOMEM if there is no memory or the size is beyond
// PTRDIFF_MAX.

// More than kTableMax bytes.
[[nodiscard]] void* AllocateLarger(size_t size);

// A small or medium block, when its class's list in the calling thread's cache is empty. (By the
// size, which is in the register where the argument goes.)
[[nodiscard]] void* AllocateMissed(size_t size);

// Zero bytes.
[[nodiscard]] void* AllocateZeroed(size_t size);

// REQUIRES: alignment is a power of two.
[[nodiscard]] void* AllocateAlignedMissed(size_t alignment, size_t size);
[[nodiscard]] void* AllocateAlignedZeroed(size_t alignment, size_t size);

// What UsableBytes() would be for a new block of `size`; 0 if it is too large.
size_t GoodSize(size_t size);

// Usable bytes of a small block of the calling thread's arena that is not free; 0 for any other,
// and if that takes more than a look. The questions are those of Deallocate().
[[nodiscard]] inline size_t OwnSmallBytes(const void* pointer) {
  const auto block = reinterpret_cast<uintptr_t>(pointer);
  const size_t c = AddressMap::Unit(block) ^ t_cache->owner_tag;
  const size_t remainder = AddressMap::TimesReciprocal(block, static_cast<uint16_t>(block));
  if (c + remainder > kMostForStart || KeyOf(block) == AddressMap::FreeKey()) return 0;
  return ClassBytes(static_cast<SizeClass>(c));  // of a mixed slab's: class 0
}

// Usable bytes. Reports a pointer that is no live block; `operation` is what was called with it.
inline size_t UsableBytes(const char* operation, const void* block) {
  const size_t bytes = OwnSmallBytes(block);
  return bytes != 0 ? bytes : FindBlock(operation, block).bytes;
}

// A block off the calling thread's list; nullptr if that is empty.
// REQUIRES: size <= kTableMax.
[[nodiscard]] inline void* AllocateHit(size_t size) {
  ThreadCache* const cache = t_cache;
  const SizeClass c = cache->class_of[size];
  static_assert(kBottomMark == 0);
  return reinterpret_cast<void*>(Pop(cache->lists.data(), c));
}

// The same, at a multiple of the alignment; nullptr for larger ones as well.
// REQUIRES (both): alignment is a power of two.
[[nodiscard]] inline void* AllocateAlignedHit(size_t alignment, size_t size) {
  // A block size that is a multiple of the alignment puts every block of a slab on one. It is 0 for
  // no bytes, and for so many that there is no room to round up: neither is a hit.
  const size_t rounded = RoundUp(size, alignment);
  return rounded - 1 < kTableMax ? AllocateHit(rounded) : nullptr;
}
[[nodiscard]] inline void* AllocateAligned(size_t alignment, size_t size) {
  if (void* const block = AllocateAlignedHit(alignment, size)) [[likely]]
    return block;
  return AllocateAlignedMissed(alignment, size);
}

[[nodiscard]] inline void* Allocate(size_t size) {
  if (size > kTableMax) [[unlikely]] return AllocateLarger(size);
  if (void* const block = AllocateHit(size)) [[likely]] return block;
  return AllocateMissed(size);
}

inline void Deallocate(void* pointer) {
  const auto block = reinterpret_cast<uintptr_t>(pointer);
  ThreadCache* const cache = t_cache;
  const size_t c = AddressMap::Unit(block) ^ cache->owner_tag;
  const uint32_t offset = static_cast<uint16_t>(block);
  static_assert(kUnitBytes == size_t{UINT16_MAX} + 1);
  const size_t remainder = AddressMap::TimesReciprocal(block, offset);
  // Two questions in one: either number has something above the lower 16 bits if the answer is no. If
  // both are yes, the sum has not: kLargestRemainder. (A sum leaves both as they are; FreeSlow() wants
  // them.)
  if (c + remainder > kMostForStart) [[unlikely]] {
    return ThreadCache::FreeSlow(pointer, cache, c, remainder);
  }
  const uint64_t key = AddressMap::FreeKey();
  uintptr_t* const slot = cache->lists[c];
  if (KeyOf(block) == key || *slot == kFullMark) [[unlikely]] {
    return ThreadCache::FreeSlow(pointer, cache, c, remainder);
  }
  PushAt(slot, cache->lists.data(), c, block, key);
}

}  // namespace cma

#endif  // CMA_FRONT_ALLOCATE_H_
