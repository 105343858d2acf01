// Allocation and deallocation as every entry point uses them: the hit inline, the rest one call.
#ifndef CMA_FRONT_ALLOCATE_H_
#define CMA_FRONT_ALLOCATE_H_

#include <cstddef>
#include <cstdint>

#include "cache/thread_cache.h"
#include "central/address_map.h"

namespace cma {

// All of these return nullptr and set errno to ENOMEM if there is no memory or the size is beyond
// PTRDIFF_MAX.

// More than kSmallMax bytes.
[[nodiscard]] void* AllocateLarger(size_t size);

// A small block, when its list in the calling thread's cache is empty.
[[nodiscard]] void* AllocateMissed(const BlockList& list);

// Zero bytes.
[[nodiscard]] void* AllocateZeroed(size_t size);

// REQUIRES: alignment is a power of two.
[[nodiscard]] void* AllocateAligned(size_t alignment, size_t size);

// The block's bytes in a block of `size`; the old one is then gone. REQUIRES: block is not null.
[[nodiscard]] void* Reallocate(void* block, size_t size);

// Usable bytes. Reports a pointer that is no live block; `operation` is what was called with it.
size_t UsableBytes(const char* operation, const void* block);

// What UsableBytes() would be for a new block of `size`; 0 if it is too large.
size_t GoodSize(size_t size);

[[nodiscard]] inline void* Allocate(size_t size) {
  if (size > kSmallMax) [[unlikely]] return AllocateLarger(size);
  const size_t block_bytes = (size + kMinAlignment - 1) & ~(kMinAlignment - 1);
  BlockList& list = SmallList(t_cache, block_bytes);
  const uintptr_t block = Pop(list);
  // By its list, not by the size: the size then needs no register of its own on the way.
  if (block == kBottomMark) [[unlikely]] return AllocateMissed(list);
  return reinterpret_cast<void*>(block);
}

inline void Deallocate(void* pointer) {
  const auto block = reinterpret_cast<uintptr_t>(pointer);
  if (!g_address_map.Covers(block)) [[unlikely]] return ThreadCache::FreeSlow(pointer);
  ThreadCache* const cache = t_cache;
  const uint32_t block_bytes = g_address_map.Unit(block) ^ cache->owner_tag();
  if (block_bytes > kSmallMax) [[unlikely]] return ThreadCache::FreeSlow(pointer);
  BlockList& list = SmallList(cache, block_bytes);
  const uint32_t offset = static_cast<uint16_t>(block);
  static_assert(kUnitBytes == size_t{UINT16_MAX} + 1);
  if (!IsBlockStart(offset, list.reciprocal)) [[unlikely]] return ThreadCache::FreeSlow(pointer);
  const uint64_t key = g_address_map.FreeKey();
  uintptr_t* const slot = list.top;
  if (KeyOf(block) == key || *slot == kFullMark) [[unlikely]] {
    return ThreadCache::FreeSlow(pointer);
  }
  PushAt(slot, list, block, key);
}

}  // namespace cma

#endif  // CMA_FRONT_ALLOCATE_H_
