#include "cache/list_upkeep.h"

#include <string.h>

#include <algorithm>

#include "arena/heap.h"
#include "cache/cache_registry.h"
#include "report/fault.h"

namespace cma {
namespace {

// With its two marks an array of so many slots fills 2 KiB. Seen in batch_order/1.
constexpr size_t kMaxCapacity = ListArray::kMaxCapacity;

// Lists whose depth has not changed since the last look are idle; or, if that was so many misses
// and overflows ago, those that have had none of either for so long, by ThreadCache::Now(). These
// may be in use: then it costs a miss. Not varied.
constexpr uint32_t kEventsOfALook = 128;
constexpr uint8_t kIdleAfter = 2;

size_t MostOf(SizeClass c, size_t bytes) {
  return std::clamp<size_t>(bytes / ClassBytes(c), 2, kMaxCapacity);
}

// Makes the list's array `capacity` slots long; false if there is no memory for it.
bool SetCapacity(ThreadCache* cache, SizeClass c, size_t capacity) {
  const ListArray old = cache->backing[c];
  const size_t depth = cache->depth(c);
  auto* slots = cache->arrays.Take(SlotCount(capacity), g_heap.metadata);
  if (slots == nullptr) return false;
  slots[0] = kBottomMark;
  memcpy(slots + 1, old.slots() + 1, depth * sizeof(uintptr_t));
  memset(slots + 1 + depth, 0, (capacity - depth) * sizeof(uintptr_t));
  slots[capacity + 1] = kFullMark;
  cache->lists[c] = slots + 1 + depth;
  cache->backing[c] = ListArray(slots, capacity, old.depth_at_sweep());
  if (old.capacity() != 0) cache->arrays.Give(old.slots(), SlotCount(old.capacity()));
  return true;
}

// Number of the arena that a small or medium block belongs to.
uint16_t OwnerOf(uintptr_t block) {
  if (g_address_map.Covers(block)) {
    const uint32_t unit = g_address_map.Unit(block);
    if (unit != 0) return static_cast<uint16_t>(AddressMap::Owner(unit));
  }
  const Superblock* const superblock = g_address_map.FindSuperblock(block);
  if (superblock == nullptr) [[unlikely]] {
    ReportCorruption("a block in a thread cache is unmapped", reinterpret_cast<void*>(block));
  }
  return superblock->arena.load(std::memory_order_relaxed);
}

// Sends those blocks home that are not the arena's, and moves the others up; how many are left.
size_t SendForeign(ThreadCache* cache, SizeClass c, uintptr_t* blocks, size_t count) {
  const auto id = static_cast<uint16_t>(cache->arena->id());
  size_t own = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint16_t owner = OwnerOf(blocks[i]);
    if (owner == id) {
      blocks[own++] = blocks[i];
    } else {
      KeyOf(blocks[i]) = 0;  // such parcels hold blocks without a key
      SendHome(cache, blocks[i], owner, ClassBytes(c));
    }
  }
  return own;
}

// Gives blocks of one class back to their arena.
void GiveBack(ThreadCache* cache, SizeClass c, uintptr_t* addresses, size_t count, GiveFor what) {
  if (cache->mixed) count = SendForeign(cache, c, addresses, count);
  if (count == 0) return;
  auto** const blocks = reinterpret_cast<std::byte**>(addresses);
  Arena* const arena = cache->arena;
  {
    LockGuard guard(arena->lock());
    if (what == GiveFor::kGood) {
      arena->GiveBlocks(c, blocks, count);
    } else {
      arena->GiveBatch(c, blocks, count);
    }
  }
  g_heap.releaser.NoteFreed();
}

}  // namespace

void Grow(ThreadCache* cache, SizeClass c, size_t list_bytes) {
  const size_t capacity = cache->backing[c].capacity();
  const size_t most = MostOf(c, list_bytes);
  if (capacity >= most) return;
  if (capacity == 0) {
    SetCapacity(cache, c, FirstCapacity(c));
    return;
  }
  const size_t wanted = std::min(capacity * 2 + 2, most);
  const size_t bytes = (wanted - capacity) * ClassBytes(c);
  if (!g_caches.Claim(cache, bytes)) return;
  if (!SetCapacity(cache, c, wanted)) g_caches.Unclaim(cache, bytes);
}

void Retire(ThreadCache* cache, SizeClass c) {
  const ListArray old = cache->backing[c];
  g_caches.Unclaim(cache, (old.capacity() - FirstCapacity(c)) * ClassBytes(c));
  cache->backing[c] = ListArray();
  cache->lists[c] = g_no_slots + 1;
  cache->arrays.Give(old.slots(), SlotCount(old.capacity()));
}

void GiveOne(Arena* arena, uintptr_t block) {
  auto* address = reinterpret_cast<std::byte*>(block);
  {
    LockGuard guard(arena->lock());
    arena->GiveBlocks(&address, 1);
  }
  g_heap.releaser.NoteFreed();
}

void SendHome(ThreadCache* cache, uintptr_t block, uint16_t owner, size_t bytes) {
  if (!cache->outbox.Add(block, bytes, owner, cache->arena, g_heap.arenas, g_heap.metadata)) {
    return GiveOne(g_heap.arenas.Existing(owner), block);
  }
  g_heap.releaser.NoteFreed();
}

void Flush(ThreadCache* cache, SizeClass c, size_t count, GiveFor what) {
  BlockList& list = cache->lists[c];
  const size_t depth = cache->depth(c);
  uintptr_t* const oldest = cache->backing[c].slots() + 1;
  GiveBack(cache, c, oldest, count, what);
  memmove(oldest, oldest + count, (depth - count) * sizeof(uintptr_t));
  list = list - count;
}

void GiveSpare(uintptr_t block) {
  Superblock* const superblock = g_address_map.FindSuperblock(block);
  const Run run =
      superblock != nullptr ? UsedRunAt(superblock, reinterpret_cast<void*>(block)) : Run{};
  if (run.length == 0) [[unlikely]] {
    ReportCorruption("a run in a thread cache is unmapped", reinterpret_cast<void*>(block));
  }
  g_heap.arenas.Owner(superblock)->GiveRun(run);
  g_heap.releaser.NoteFreed();
}

void GiveSpares(ThreadCache* cache) {
  cache->spares.StealAll(GiveSpare);
  g_caches.Unclaim(cache, cache->spares.claimed());
  cache->spares.Forget();
}

void GiveIdleLists(ThreadCache* cache) {
  const bool looked_lately = cache->events - cache->gave_idle < kEventsOfALook;
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    ListArray& array = cache->backing[c];
    const size_t depth = cache->depth(c);
    if (depth == 0) continue;
    const bool is_idle = looked_lately
                             ? depth == array.depth_at_sweep()
                             : static_cast<uint8_t>(cache->Now() - cache->used[c]) >= kIdleAfter;
    if (is_idle) Flush(cache, c, depth, GiveFor::kGood);
    array.NoteDepth(cache->depth(c));
  }
  cache->gave_idle = cache->events;
}

void SweepLists(ThreadCache* cache) {
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    ListArray& array = cache->backing[c];
    if (array.capacity() == 0) continue;
    size_t depth = cache->depth(c);
    if (depth == array.depth_at_sweep()) {
      if (depth == 0) {
        Retire(cache, c);
        continue;
      }
      Flush(cache, c, (depth + 1) / 2, GiveFor::kGood);
      depth = cache->depth(c);
    }
    array.NoteDepth(depth);
  }
  cache->gave_idle = cache->events;  // nothing has changed yet since this look
  if (!cache->spares.TestAndClearUsed()) GiveSpares(cache);
  cache->outbox.PostStale(g_heap.arenas);
  g_heap.releaser.NoteFreed();
}

}  // namespace cma
