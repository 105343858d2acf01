#include "cache/large_runs.h"

#include <algorithm>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "cache/list_upkeep.h"
#include "cache/slow_path.h"
#include "cache/uncached.h"
#include "cache/wrong_pointer.h"
#include "heaps/user_heaps.h"
#include "report/fault.h"
#include "runs/boundary_tags.h"

namespace cma {

namespace {

// Of what a cache may claim in all, large runs may have one in so many: lists need the rest. Not
// varied; it matters from 16 threads on.
constexpr size_t kShareOfSpares = 2;

// Of what the thread's arena has lent in runs, one byte in so many may wait with it, within the
// limits of SpareRuns. Asked when more is claimed. Chosen by large_churn/8 of 36 to 228 KiB.
constexpr size_t kShareOfLent = 8;

// Misses and overflows between two times that a thread gives all that wait back rather than let its
// arena grow: where that is short again so soon, nothing would ever wait. Not varied; large_churn/8
// of 36 to 228 KiB is the same without.
constexpr uint32_t kEventsBetweenGiving = 32;

// Whether there is room for a large run of so many bytes to wait with the thread, after others have
// gone and the budget was asked. REQUIRES: such a one is wanted.
[[gnu::noinline]] bool MakeRoomForSpare(ThreadCache* cache, size_t bytes) {
  SlowPath slow(cache);
  SpareRuns& spares = cache->spares;
  if (!spares.is_open()) {
    uintptr_t* const memory = cache->arrays.Take(SpareRuns::kTableWords, g_heap.metadata);
    if (memory == nullptr) return false;
    spares.Open(memory);
    g_caches.NoteSpares();
  }
  spares.DropStolen();
  if (bytes > spares.room()) {
    const size_t missing = RoundUp(bytes - spares.room(), SpareRuns::kClaimBytes);
    const size_t most = std::clamp(cache->arena->LentRunBytes() / kShareOfLent,
                                   SpareRuns::kAllBytes, SpareRuns::kMostOfAll);
    if (SpareRuns::kFreeBytes + spares.claimed() + missing <= most &&
        g_caches.Claim(cache, missing, kShareOfSpares)) {
      spares.Allow(missing);
    }
  }
  if (bytes > SpareRuns::kFreeBytes + spares.claimed()) return false;
  while (!spares.HasRoomFor(bytes)) {
    const uintptr_t spare = spares.TakeAny();
    if (spare == 0) return spares.HasRoomFor(bytes);
    GiveSpare(spare);
  }
  return true;
}

// Whether the large run waits with the thread from now on. Reports one that waits with any.
// REQUIRES: kMediumMax < bytes <= SpareRuns::kMostBytes.
bool KeepRun(ThreadCache* cache, uintptr_t block, size_t bytes, bool is_foreign) {
  SpareRuns& spares = cache->spares;
  auto* const pointer = reinterpret_cast<void*>(block);
  const uint64_t key = AddressMap::FreeKey();
  // In its own thread's even if the program has written over the key since.
  if ((CarriesEitherKey(block, key) && IsFree(0, pointer)) || spares.HoldsOf(block, bytes))
      [[unlikely]] {
    ReportDoubleFree(pointer, bytes);
  }
  if (!spares.IsWanted(bytes)) return false;
  // It may be on its way home already: its arena will tell.
  if (is_foreign && cache->outbox.RecentOf(block) == block) [[unlikely]]
    return false;
  if (!spares.HasRoomFor(bytes) && !MakeRoomForSpare(cache, bytes)) return false;
  KeyOf(block) = key;
  spares.Add(block, bytes);
  g_heap.releaser.NoteFreed();
  return true;
}

// A large run that waits nowhere.
void GiveStraight(uintptr_t block, Superblock* superblock, uint16_t owner) {
  auto* const pointer = reinterpret_cast<void*>(block);
  const Run run = UsedRunAt(superblock, pointer);
  // Another thread has freed it since this one looked.
  if (run.length == 0) [[unlikely]]
    ReportWrongPointer("free", pointer);
  FreeUncachedRun(run, owner);
}

// A large run of another arena, on its way home, if that is not easy.
[[gnu::noinline]] void SendLargeHome(uintptr_t block, size_t bytes, Superblock* superblock,
                                     uint16_t owner) {
  ThreadCache* const cache = CurrentCache();
  if (cache == nullptr || owner == cache->owner) {
    return GiveStraight(block, superblock, owner);
  }
  SlowPath slow(cache);
  CountEvent(cache);
  SendHome(cache, block, owner, bytes);
}

// A large run that has come home, and carries the key: it waits with the thread if it is wanted, or
// goes to its arena. Reports one that waits already.
void KeepOrGive(ThreadCache* cache, uintptr_t block) {
  Superblock* const superblock = g_address_map.FindSuperblock(block);
  const size_t granules = superblock != nullptr ? UsedGranulesAt(superblock, block) : 0;
  const size_t bytes = granules << kGranuleShift;
  SpareRuns& spares = cache->spares;
  if (bytes == 0 || spares.HoldsOf(block, bytes)) {
    ReportDoubleFree(reinterpret_cast<void*>(block), bytes);
  }
  if (!spares.IsWanted(bytes) || (!spares.HasRoomFor(bytes) && !MakeRoomForSpare(cache, bytes))) {
    return GiveSpare(block);
  }
  spares.Add(block, bytes);
}

// A large run of a length that may wait, but not as a matter of course; or it is to go home.
[[gnu::noinline]] void FreeLargeOtherwise(void* pointer, ThreadCache* cache, Superblock* superblock,
                                          size_t bytes) {
  const uintptr_t block = AddressOf(pointer);
  const uint16_t owner = superblock->arena.load(std::memory_order_relaxed);
  if (IsUserHeap(owner)) [[unlikely]]
    return GiveStraight(block, superblock, owner);
  const bool is_foreign = owner != cache->owner;
  if (KeepRun(cache, block, bytes, is_foreign)) return;
  if (!is_foreign) {
    GiveStraight(block, superblock, owner);
    ThreadCache::HomeArena(cache);
    return;
  }
  if (bytes <= Outbox::kParcelBytes && cache->outbox.TryAdd(block, bytes, size_t{owner} + 1))
    return;
  SendLargeHome(block, bytes, superblock, owner);
}

}  // namespace

void FreeLarge(void* pointer, ThreadCache* cache, Superblock* superblock, uint32_t granules) {
  const uintptr_t block = AddressOf(pointer);
  const size_t bytes = size_t{granules} << kGranuleShift;
  SpareRuns& spares = cache->spares;
  const uint64_t key = AddressMap::FreeKey();
  if (superblock->arena.load(std::memory_order_relaxed) != cache->owner ||
      CarriesEitherKey(block, key) || !spares.IsWanted(bytes) || !spares.HasRoomFor(bytes) ||
      spares.HoldsOf(block, bytes)) [[unlikely]] {
    return FreeLargeOtherwise(pointer, cache, superblock, bytes);
  }
  KeyOf(block) = key;
  spares.Add(block, bytes);
  g_heap.releaser.NoteFreed();
}

bool FetchSpares(ThreadCache* cache) {
  Arena* const arena = cache->arena;
  if (!arena->HasPost()) return false;
  SlowPath slow(cache);
  uintptr_t slots[SlotCount(SpareRuns::kRuns)] = {kBottomMark};
  slots[SlotCount(SpareRuns::kRuns) - 1] = kFullMark;
  // List 0 is of use for a moment: while this thread frees nothing.
  BlockList& runs = cache->lists[0];
  runs = slots + 1;
  {
    LockGuard guard(arena->lock());
    arena->DrainInbox(cache->lists.data());
  }
  const uintptr_t* const end = runs;
  runs = g_no_slots + 1;
  for (const uintptr_t* run = slots + 1; run != end; ++run) KeepOrGive(cache, *run);
  return end != slots + 1;
}

std::byte* TakeRunFor(ThreadCache* cache, Arena* arena, size_t bytes, size_t alignment,
                      ZeroPages* zero_pages) {
  if (std::byte* run = g_heap.arenas.TakeFreeRun(arena, bytes, alignment, zero_pages)) return run;
  if (cache != nullptr && cache->events - cache->gave_spares >= kEventsBetweenGiving) {
    SlowPath slow(cache);
    cache->gave_spares = cache->events;
    GiveSpares(cache);
  }
  return arena->TakeRun(bytes, alignment, zero_pages);
}

}  // namespace cma
