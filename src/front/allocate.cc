#include "front/allocate.h"

#include <string.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/large_runs.h"
#include "front/or_no_memory.h"
#include "heaps/block_shape.h"
#include "runs/zero_run.h"

namespace cma {
namespace {

bool CarriesKey(uintptr_t block) { return KeyOf(block) == g_address_map.FreeKey(); }

void* AllocateMedium(size_t size) {
  const uintptr_t block = Pop(t_cache->lists.data(), LargerClassOf(size));
  if (block == kBottomMark) [[unlikely]]
    return AllocateMissed(size);
  return reinterpret_cast<void*>(block);
}

// The block that is next in the list of a medium class, if it happens to be aligned: what was freed
// last may have been allocated for the same use.
void* PopAligned(const BlockShape& shape) {
  if (shape.bytes > kMediumMax) return nullptr;
  BlockList* const lists = t_cache->lists.data();
  const SizeClass c = LargerClassOf(shape.bytes);
  const uintptr_t* const top = lists[c];
  if (top[-1] == kBottomMark || top[-1] % shape.alignment != 0) return nullptr;
  return reinterpret_cast<void*>(Pop(lists, c));
}

// A large run that waits with the thread; nullptr if no fitting one does. REQUIRES: bytes >
// kMediumMax.
void* TakeSpare(size_t bytes, size_t alignment) {
  const uintptr_t spare = t_cache->spares.TakeAligned(bytes, alignment);
  if (spare != 0) KeyOf(spare) = 0;
  return reinterpret_cast<void*>(spare);
}

// The OS refuses memory: what other arenas have free, and then what can be given back.
[[gnu::noinline]] std::byte* TakeRunAfterRefusal(Arena* arena, size_t bytes, size_t alignment,
                                                 ZeroPages* zero_pages) {
  const auto take = [=](Arena& any) { return any.TakeRun(bytes, alignment, zero_pages); };
  if (std::byte* const run = g_heap.arenas.FromAny(arena, take)) return run;
  ThreadCache::Reclaim();
  return g_heap.arenas.FromAny(arena, take);
}

[[gnu::noinline]] void* AllocateRunMissed(size_t bytes, size_t alignment, ZeroPages* zero_pages) {
  ThreadCache* const cache = CurrentCache();
  Arena* const arena =
      cache != nullptr ? ThreadCache::HomeArena(cache, bytes) : g_heap.arenas.Current();
  if (arena == nullptr) return OrNoMemory(nullptr);
  if (cache != nullptr && bytes > kMediumMax && FetchSpares(cache)) {
    if (void* const spare = TakeSpare(bytes, alignment)) return spare;
  }
  std::byte* block = TakeRunFor(cache, arena, bytes, alignment, zero_pages);
  if (block == nullptr) [[unlikely]]
    block = TakeRunAfterRefusal(arena, bytes, alignment, zero_pages);
  // A block that was free here in an earlier life may have left its key. Reading first keeps the
  // page of a fresh run untouched.
  if (block != nullptr && CarriesKey(AddressOf(block))) KeyOf(AddressOf(block)) = 0;
  g_heap.releaser.MaybeStart();
  return OrNoMemory(block);
}

void* AllocateRun(size_t bytes, size_t alignment, ZeroPages* zero_pages) {
  if (bytes > kMediumMax) {
    if (void* const spare = TakeSpare(bytes, alignment)) return spare;
  }
  return AllocateRunMissed(bytes, alignment, zero_pages);
}

// The same, anywhere and with any contents. REQUIRES: bytes > kMediumMax.
void* AllocateLarge(size_t bytes) {
  const uintptr_t spare = t_cache->spares.Take(bytes);
  if (spare == 0) [[unlikely]]
    return AllocateRunMissed(bytes, kGranuleBytes, nullptr);
  KeyOf(spare) = 0;
  return reinterpret_cast<void*>(spare);
}

void* AllocateHuge(size_t size, size_t alignment, HugeBlocks::Contents contents) {
  // No list is wanted. But what hangs on a cache is: that the end of the thread is told, and the
  // handlers of fork.
  if (CurrentCache() == nullptr) EnsureHeap();
  void* block = g_heap.huge.Take(size, alignment, contents);
  // No use for a size that no address space holds.
  if (block == nullptr && size >> kAddressBits == 0) {
    ThreadCache::Reclaim();
    block = g_heap.huge.Take(size, alignment, contents);
  }
  g_heap.releaser.MaybeStart();
  // What waits may have been in hand when the releaser looked, and has been put back.
  g_heap.releaser.NoteFreed();
  return OrNoMemory(block);
}

}  // namespace

void* AllocateLarger(size_t size) {
  if (size <= kMediumMax) return AllocateMedium(size);
  if (size <= kLargeMax) return AllocateLarge(RoundUp(size, kLargeStep));
  return AllocateHuge(size, kGranuleBytes, HugeBlocks::Contents::kAny);
}

[[gnu::noinline]] void* AllocateMissed(size_t size) {
  return OrNoMemory(ThreadCache::RefillAndPop(ClassOf(size)));
}

void* AllocateZeroed(size_t size) {
  if (size > kLargeMax) return AllocateHuge(size, kGranuleBytes, HugeBlocks::Contents::kZero);
  if (size > kMediumMax) {
    ZeroPages zero_pages;
    void* const block = AllocateRun(RunBytes(size), kGranuleBytes, &zero_pages);
    if (block != nullptr) ZeroRun(block, size, zero_pages);
    return block;
  }
  void* const block = Allocate(size);
  if (block != nullptr) memset(block, 0, size);
  return block;
}

void* AllocateAlignedMissed(size_t alignment, size_t size) {
  if (alignment <= kMinAlignment) return Allocate(size);
  if (size > size_t{PTRDIFF_MAX}) return OrNoMemory(nullptr);
  const BlockShape shape = ShapeOf(size, alignment);
  switch (shape.kind) {
    case BlockShape::kClass:
      return Allocate(shape.bytes);
    case BlockShape::kRun:
      if (void* const block = PopAligned(shape); block != nullptr) return block;
      return AllocateRun(shape.bytes, shape.alignment, nullptr);
    case BlockShape::kHuge:
      break;
  }
  return AllocateHuge(shape.bytes, shape.alignment, HugeBlocks::Contents::kAny);
}

void* AllocateAlignedZeroed(size_t alignment, size_t size) {
  if (alignment <= kMinAlignment) return AllocateZeroed(size);
  if (size > size_t{PTRDIFF_MAX}) return OrNoMemory(nullptr);
  const BlockShape shape = ShapeOf(size, alignment);
  switch (shape.kind) {
    case BlockShape::kClass: {
      void* const block = Allocate(shape.bytes);
      if (block != nullptr) memset(block, 0, size);
      return block;
    }
    case BlockShape::kRun: {
      ZeroPages zero_pages;
      void* const block = AllocateRun(shape.bytes, shape.alignment, &zero_pages);
      if (block != nullptr) ZeroRun(block, size, zero_pages);
      return block;
    }
    case BlockShape::kHuge:
      break;
  }
  return AllocateHuge(shape.bytes, shape.alignment, HugeBlocks::Contents::kZero);
}

size_t GoodSize(size_t size) {
  if (size <= kMediumMax) return ClassBytes(ClassOf(size));
  if (size <= kLargeMax) return RoundUp(size, kLargeStep);
  return size <= size_t{PTRDIFF_MAX} - kMaxPageBytes ? RoundUp(size, OsPageBytes()) : 0;
}

}  // namespace cma
