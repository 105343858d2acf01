#include "cache/thread_cache.h"

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/large_runs.h"
#include "cache/list_upkeep.h"
#include "cache/refill.h"
#include "cache/slow_path.h"
#include "cache/uncached.h"
#include "cache/wrong_pointer.h"
#include "report/fault.h"
#include "slabs/mixed_slab.h"

namespace cma {

namespace {

// Other arenas' blocks, so many, that a thread which ends takes home itself: a second free of one
// is noticed from then on. More wait on with the cache, as they did while the thread lived. In the
// simulated larson-like load there are 60 to 300: taking all home makes 184 of 246 Mops/s. Half and
// double are the same there.
constexpr size_t kFewBlocks = 16;

// A block that carries the key is at home in its arena or in a list, or so it seems.
void CheckDoubleFree(SizeClass c, uintptr_t block) {
  if (KeyOf(block) != g_address_map.FreeKey()) [[likely]]
    return;
  if (IsFree(c, reinterpret_cast<void*>(block))) {
    ReportDoubleFree(reinterpret_cast<void*>(block), ClassBytes(c));
  }
}

// A block of this thread's arena on its way into a list of its class.
void PushSlow(ThreadCache* cache, SizeClass c, uintptr_t block) {
  BlockList& list = cache->lists[c];
  if (IsFull(list)) {
    CountEvent(cache, c);
    // The thread has no list of these, so the block was another one's, most likely, and so may its
    // line be.
    const bool is_first = cache->backing[c].capacity() == 0 && ClassBytes(c) <= kLinesUpTo;
    Grow(cache, c, kOverflowBytes);
    const size_t capacity = cache->backing[c].capacity();
    if (capacity == 0 || is_first) return FreeUncached(block, c, cache->owner);
    if (IsFull(list)) {
      const uint16_t home = cache->owner;
      FollowCpu(cache);
      if (cache->owner != home) return SendHome(cache, block, home, ClassBytes(c));
      Flush(cache, c, (capacity + 1) / 2, GiveFor::kReuse);
    }
  }
  Push(cache->lists.data(), c, block, g_address_map.FreeKey());
}

void FreeCached(uintptr_t block, SizeClass c, uint16_t owner) {
  if (GiveToUserHeap(block, ClassBytes(c), owner)) [[unlikely]]
    return;
  ThreadCache* const cache = CurrentCache();
  if (cache == nullptr) {
    CheckDoubleFree(c, block);
    return FreeUncached(block, c, owner);
  }
  SlowPath slow(cache);
  if (owner != cache->owner) return SendHome(cache, block, owner, ClassBytes(c));
  CheckDoubleFree(c, block);
  PushSlow(cache, c, block);
}

// A small block that is not a hit.
[[gnu::noinline]] void FreeSmall(uintptr_t block, SizeClass c, uint16_t owner) {
  const auto offset = static_cast<uint32_t>(block % kUnitBytes);
  // What the map does not cover has the entry of another address.
  if (!IsBlockStart(offset, kReciprocal[c]) || block >> kAddressBits != 0) {
    ReportWrongPointer("free", reinterpret_cast<void*>(block));
  }
  FreeCached(block, c, owner);
}

// Outside of all superblocks.
[[gnu::noinline]] void FreeOutside(void* pointer) {
  if (pointer == nullptr) return;
  if (!g_heap.huge.Give(static_cast<std::byte*>(pointer))) ReportWrongPointer("free", pointer);
  g_heap.releaser.NoteFreed();
}

// Runs that wait in no list, and, where there is no unit map, small blocks.
[[gnu::noinline]] void FreeOther(void* pointer, Superblock* superblock) {
  const uint16_t owner = superblock->arena.load(std::memory_order_relaxed);
  const Run run = UsedRunAt(superblock, pointer);
  if (run.length != 0) {
    return FreeUncachedRun(run, owner);
  }
  const SizeClass c = SmallClassAt(superblock, pointer);
  if (c == 0) ReportWrongPointer("free", pointer);
  FreeCached(AddressOf(pointer), c, owner);
}

// A block of another arena, on its way home. It is not looked at: its lines may be in its owner's
// cache, and are to be found there. No outbox has a place for the arenas of the program's heaps.
void FreeForeign(ThreadCache* cache, uintptr_t block, SizeClass c, uint16_t owner) {
  if (!cache->outbox.TryAdd(block, ClassBytes(c), size_t{owner} + 1)) [[unlikely]] {
    FreeCached(block, c, owner);
  }
}

// What a block counts for in the outbox, by the size class in the unit map; class 0 goes another way.
constexpr auto kOutboxBytesOf = [] {
  std::array<uint32_t, kSmallClasses> table{};
  for (SizeClass c = 1; c < kSmallClasses; ++c) table[c] = kClassBytes[c];
  table[0] = Outbox::kTooManyBytes;
  return table;
}();

// A block of a mixed slab. `owner` is what the unit map says.
[[gnu::noinline]] void FreeMixed(uintptr_t block, ThreadCache* cache, uint16_t owner) {
  Superblock* const superblock = g_address_map.FindSuperblock(block);
  SizeClass c = 0;
  // What the map does not cover has the entry of another address.
  if (superblock != nullptr && AddressMap::SizeClassOf(AddressMap::SettledUnit(block)) == 0) {
    c = MixedClassAt(superblock, reinterpret_cast<void*>(block));
  }
  const uint64_t key = AddressMap::FreeKey();
  // List 0 is always full.
  uintptr_t* const slot = cache->lists[c];
  if (owner == cache->owner && *slot != kFullMark && KeyOf(block) != key) [[likely]] {
    return PushAt(slot, cache->lists.data(), c, block, key);
  }
  if (c == 0) [[unlikely]]
    ReportWrongPointer("free", reinterpret_cast<void*>(block));
  if (owner == cache->owner) return FreeCached(block, c, owner);
  FreeForeign(cache, block, c, owner);
}

// The same for the thread's own arena, with nothing but what a hit needs: where a heap is sparse
// most blocks are of mixed slabs, and none of their memory is in a cache. The shorter the way is,
// the more of it the CPU has under way at once.
[[gnu::noinline]] void FreeOwnMixed(uintptr_t block, ThreadCache* cache) {
  if (AddressMap::SettledUnit(block) == cache->owner_tag) [[likely]] {
    Superblock* const superblock = g_address_map.SuperblockOfSlab(block);
    const SizeClass c = MixedClassOfShort(superblock, block);
    const uint64_t key = AddressMap::FreeKey();
    uintptr_t* const slot = cache->lists[c];
    if (*slot != kFullMark && KeyOf(block) != key) [[likely]] {
      return PushAt(slot, cache->lists.data(), c, block, key);
    }
  }
  FreeMixed(block, cache, cache->owner);
}

// A medium run that is no hit, or what is no run.
[[gnu::noinline]] void FreeMediumOrOther(void* pointer, ThreadCache* cache, Superblock* superblock,
                                         SizeClass c, uint16_t owner) {
  if (c == 0) [[unlikely]]
    return FreeOther(pointer, superblock);
  if (owner == cache->owner) return FreeCached(AddressOf(pointer), c, owner);
  FreeForeign(cache, AddressOf(pointer), c, owner);
}

// No slab is there, or there is no unit map. What a hit does not need is called at the end only, so that
// there is nothing to save.
[[gnu::noinline]] void FreeRun(void* pointer, ThreadCache* cache) {
  const uintptr_t block = AddressOf(pointer);
  Superblock* const superblock = g_address_map.FindSuperblock(block);
  if (superblock == nullptr) [[unlikely]]
    return FreeOutside(pointer);
  const uint32_t granules = UsedGranulesAt(superblock, block);
  constexpr uint32_t kMediumGranules = kMediumMax / kGranuleBytes;
  constexpr uint32_t kSpareGranules = SpareRuns::kMostBytes / kGranuleBytes;
  if (granules - kMediumGranules - 1 < kSpareGranules - kMediumGranules) {
    return FreeLarge(pointer, cache, superblock, granules);
  }
  const uint16_t owner = superblock->arena.load(std::memory_order_relaxed);
  const SizeClass c = granules < kClassOfGranules.size() ? kClassOfGranules[granules] : 0;
  if (owner == cache->owner) [[likely]] {
    // List 0 is always full: what is no block's start is not looked into.
    const uint64_t key = AddressMap::FreeKey();
    uintptr_t* const slot = cache->lists[c];
    if (*slot != kFullMark && KeyOf(block) != key) [[likely]] {
      return PushAt(slot, cache->lists.data(), c, block, key);
    }
  }
  FreeMediumOrOther(pointer, cache, superblock, c, owner);
}

// A block of a slab that is neither a hit nor on its way home at once; `unit` as FreeSlow() has it.
[[gnu::noinline]] void FreeOddly(void* pointer, ThreadCache* cache, size_t unit) {
  const auto entry = static_cast<uint32_t>(unit ^ cache->owner_tag);
  const uintptr_t block = AddressOf(pointer);
  const SizeClass c = AddressMap::SizeClassOf(entry);
  const auto owner = static_cast<uint16_t>(AddressMap::Owner(entry));
  if (c == 0) return FreeMixed(block, cache, owner);
  FreeSmall(block, c, owner);
}

}  // namespace

std::byte* ThreadCache::RefillAndPop(SizeClass c) {
  ThreadCache* const cache = CurrentCache();
  if (cache == nullptr) return TakeUncached(c);
  {
    SlowPath slow(cache);
    CountEvent(cache, c);
    FollowCpu(cache);
    if (cache->depth(c) == 0) {
      const SizeClass filled = FillList(cache, c);
      // Where there is no memory for a list's array there may be for one block.
      if (filled == 0) return cache->backing[c].capacity() == 0 ? TakeUncached(c) : nullptr;
      c = filled;
    }
  }
  // Starting the thread allocates, perhaps from this very list: not before the block is out.
  const uintptr_t block = Pop(cache->lists.data(), c);
  g_heap.releaser.MaybeStart();
  return reinterpret_cast<std::byte*>(block);
}

// Nothing is called on the way of a block that goes to a list or into the outbox. The outbox has no
// room for this thread's own arena.
void ThreadCache::FreeSlow(void* pointer, ThreadCache* cache, size_t unit, size_t remainder) noexcept {
  // The two tags have met in what is above the class.
  const size_t entry = unit ^ cache->owner_tag;
  if (entry == 0) return FreeRun(pointer, cache);
  const uintptr_t block = AddressOf(pointer);
  if (unit == 0) return FreeOwnMixed(block, cache);
  if (remainder > kMostForStart || block >> kAddressBits != 0 ||
      !cache->outbox.TryAdd(block, kOutboxBytesOf[AddressMap::SizeClassOf(entry)],
                            AddressMap::PlaceOf(entry))) [[unlikely]] {
    FreeOddly(pointer, cache, unit);
  }
}

Arena* ThreadCache::HomeArena(ThreadCache* cache, size_t missed_bytes) {
  SlowPath slow(cache);
  if (missed_bytes > kMediumMax) {
    cache->spares.NoteMissed(missed_bytes);
    if (cache->spares.AreStale()) [[unlikely]]
      GiveSpares(cache);
  }
  CountEvent(cache);
  FollowCpu(cache);
  return cache->arena;
}

void ThreadCache::Reclaim() {
  FlushCurrent();
  EmptyQuarantine();
  g_heap.releaser.ReleaseAll();
}

void ThreadCache::FlushCurrent() {
  ThreadCache* const cache = CurrentCache();
  if (cache != nullptr) EmptyCache(cache);
}

void DeliverFew(ThreadCache* cache) {
  SlowPath slow(cache);
  if (!cache->outbox.HasMoreThan(kFewBlocks)) cache->outbox.DeliverAll(g_heap.arenas);
}

void EmptyCache(ThreadCache* cache) {
  SlowPath slow(cache);
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    if (cache->backing[c].capacity() == 0) continue;
    Flush(cache, c, cache->depth(c), GiveFor::kGood);
    Retire(cache, c);
  }
  GiveSpares(cache);
  cache->mixed = false;
  cache->outbox.PostAll(g_heap.arenas);
  g_heap.releaser.NoteFreed();
}

}  // namespace cma
