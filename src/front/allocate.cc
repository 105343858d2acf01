#include "front/allocate.h"

#include <errno.h>
#include <string.h>

#include <algorithm>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/wrong_pointer.h"

namespace cma {
namespace {

// Shortest run that is given out: the smallest medium class, so that it can wait in its list.
constexpr size_t kShortestRun = ClassBytes(kSmallClasses);

// A block that realloc has to move gets room to grow, so that the next few times it stays: from
// this size on, in bytes, and so much of it.
constexpr size_t kGrowingBytes = 4 * kKiB;
constexpr size_t kShareOfRoom = 8;

// Bytes of the run for a block of `size` that does not come from a list.
size_t RunBytes(size_t size) {
  if (size <= kShortestRun) return kShortestRun;
  if (size <= kMediumMax) return ClassBytes(LargerClassOf(size));
  return RoundUp(size, kLargeStep);
}

bool CarriesKey(uintptr_t block) { return KeyOf(block) == g_address_map.FreeKey(); }

void* OrNoMemory(void* block) {
  if (g_heap.limit.purge_due()) [[unlikely]] g_heap.releaser.Purge();
  if (block == nullptr) [[unlikely]] {
    g_heap.limit.NoteRefusal();
    errno = ENOMEM;
  }
  return block;
}

void* AllocateMedium(size_t size) {
  const uintptr_t block = Pop(t_cache->lists.data(), LargerClassOf(size));
  if (block == kBottomMark) [[unlikely]] return AllocateMissed(size);
  return reinterpret_cast<void*>(block);
}

void* AllocateRun(size_t bytes, size_t alignment, ZeroPages* zero_pages) {
  ThreadCache* const cache = CurrentCache();
  Arena* const arena = cache != nullptr ? ThreadCache::HomeArena(cache) : g_heap.arenas.Current();
  if (arena == nullptr) return OrNoMemory(nullptr);
  const auto take = [=](Arena& any) { return any.TakeRun(bytes, alignment, zero_pages); };
  void* block = g_heap.arenas.FromAny(arena, take);
  if (block == nullptr) [[unlikely]] {
    ThreadCache::Reclaim();
    block = g_heap.arenas.FromAny(arena, take);
  }
  // A block that was free here in an earlier life may have left its key. Reading first keeps the
  // page of a fresh run untouched.
  if (block != nullptr && CarriesKey(AddressOf(block))) KeyOf(AddressOf(block)) = 0;
  g_heap.releaser.MaybeStart();
  return OrNoMemory(block);
}

void* AllocateHuge(size_t size, size_t alignment, HugeBlocks::Contents contents) {
  EnsureHeap();
  void* block = g_heap.huge.Take(size, alignment, contents);
  // No use for a size that no address space holds.
  if (block == nullptr && size >> kAddressBits == 0) {
    ThreadCache::Reclaim();
    block = g_heap.huge.Take(size, alignment, contents);
  }
  g_heap.releaser.MaybeStart();
  return OrNoMemory(block);
}

// Zeroes the parts of a new run that may hold old bytes.
void ZeroRun(void* block, size_t size, const ZeroPages& zero_pages) {
  const size_t page = OsPageBytes();
  auto* const start = static_cast<std::byte*>(block);
  std::byte* const end = start + size;
  std::byte* at = start;
  for (size_t i = 0; at < end; ++i) {
    std::byte* const next =
        std::min(end, reinterpret_cast<std::byte*>(RoundDown(AddressOf(at), page) + page));
    if (!zero_pages.zero.Test(i)) memset(at, 0, static_cast<size_t>(next - at));
    at = next;
  }
}

// The used run or slab block at `block`, or a huge block.
struct Found {
  enum Kind { kSmall, kRun, kHuge } kind;
  size_t bytes;
  Run run;
};

Found Find(const char* operation, const void* block) {
  const uintptr_t address = AddressOf(block);
  Superblock* const superblock = g_address_map.FindSuperblock(address);
  if (superblock == nullptr) {
    const size_t bytes = g_heap.huge.BytesOf(static_cast<const std::byte*>(block));
    if (bytes == 0) ReportWrongPointer(operation, block);
    return {Found::kHuge, bytes, {}};
  }
  if (const Slab* slab = SlabAt(superblock, block); slab != nullptr) {
    const size_t bytes = slab->block_bytes;
    if (address % kUnitBytes % bytes != 0) ReportWrongPointer(operation, block);
    if (CarriesKey(address) && IsFree(ClassOf(bytes), block)) ReportWrongPointer(operation, block);
    return {Found::kSmall, bytes, {}};
  }
  const Run run = UsedRunAt(superblock, block);
  if (run.length == 0) ReportWrongPointer(operation, block);
  if (run.bytes() <= kMediumMax && CarriesKey(address) &&
      IsFree(LargerClassOf(run.bytes()), block)) {
    ReportWrongPointer(operation, block);
  }
  return {Found::kRun, run.bytes(), run};
}

void* MoveBlock(void* block, size_t old_bytes, size_t size) {
  // What has grown once will grow again.
  const size_t room = size / kShareOfRoom;
  const bool grows = size > old_bytes && size >= kGrowingBytes &&
                     size <= kLargeMax && size + room <= kLargeMax;
  void* const moved = Allocate(grows ? size + room : size);
  if (moved == nullptr) return nullptr;
  memcpy(moved, block, std::min(old_bytes, size));
  Deallocate(block);
  return moved;
}

// In place, where the block stays of its kind. Shrinking a little is not worth a lock.
bool ResizeRunInPlace(const Run& run, size_t size) {
  if (size <= kSmallMax || size > kLargeMax) return false;
  const size_t bytes = RunBytes(size);
  // The room that a growing block was given is not cut off, and a sliver cannot be.
  const size_t room = std::max(kSlotBytes, run.bytes() / 4);
  if (bytes <= run.bytes() && run.bytes() - bytes < room) return true;
  Arena* const arena = g_heap.arenas.Owner(run.superblock);
  const size_t usable = arena->ResizeRun(run, bytes);
  if (bytes < run.bytes()) g_heap.releaser.NoteFreed();
  return usable >= size;
}

}  // namespace

void* AllocateLarger(size_t size) {
  if (size <= kMediumMax) return AllocateMedium(size);
  if (size <= kLargeMax) return AllocateRun(RunBytes(size), kGranuleBytes, nullptr);
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

void* AllocateAligned(size_t alignment, size_t size) {
  if (alignment <= kMinAlignment) return Allocate(size);
  if (size > size_t{PTRDIFF_MAX}) return OrNoMemory(nullptr);
  // Slabs start at a multiple of their size: a block size that is a multiple of the alignment
  // puts every block on one.
  const size_t rounded = RoundUp(std::max<size_t>(size, 1), alignment);
  if (rounded <= kSmallMax) return Allocate(rounded);
  if (size > kSmallMax && alignment <= kGranuleBytes) return Allocate(size);
  if (size <= kLargeMax && alignment <= kLargeMax) {
    return AllocateRun(RunBytes(size), alignment, nullptr);
  }
  return AllocateHuge(std::max(size, kLargeMax + 1), alignment, HugeBlocks::Contents::kAny);
}

void* Reallocate(void* block, size_t size) {
  const Found found = Find("realloc", block);
  switch (found.kind) {
    case Found::kSmall:
      if (size <= found.bytes && size * 2 > found.bytes) return block;
      break;
    case Found::kRun:
      if (ResizeRunInPlace(found.run, size)) return block;
      break;
    case Found::kHuge:
      if (size > kLargeMax && size <= size_t{PTRDIFF_MAX} - kMaxPageBytes) {
        std::byte* moved = g_heap.huge.Resize(static_cast<std::byte*>(block), size);
        g_heap.releaser.NoteFreed();
        if (moved != nullptr) return moved;
      }
      break;
  }
  return MoveBlock(block, found.bytes, size);
}

size_t UsableBytes(const char* operation, const void* block) {
  return Find(operation, block).bytes;
}

size_t GoodSize(size_t size) {
  if (size <= kMediumMax) return ClassBytes(ClassOf(size));
  if (size <= kLargeMax) return RoundUp(size, kLargeStep);
  return size <= size_t{PTRDIFF_MAX} - kMaxPageBytes ? RoundUp(size, OsPageBytes()) : 0;
}

}  // namespace cma
