// One thread's free blocks: the whole fast path of malloc and free.
//
// Owner:     its thread; no lock, no atomic operation but for large runs, which others may take away
//            (SpareRuns). Other threads read depths for statistics (a moment's truth). A fork's
//            child empties the caches of threads that it lacks.
// Lists:     one stack per size class. A miss fetches half a list from the arena, an overflow
//            gives half a list back; the capacity doubles with misses while the process-wide
//            budget lasts, and falls again when a list goes unused.
// Invariant: every block in a list is free, carries the free key in its second word, and is of
//            the list's class and arena (unless `mixed` says that another one had to help out).
#ifndef CMA_CACHE_THREAD_CACHE_H_
#define CMA_CACHE_THREAD_CACHE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arena/arena.h"
#include "arena/block_list.h"
#include "cache/array_pool.h"
#include "cache/outbox.h"
#include "cache/spare_runs.h"
#include "central/address_map.h"
#include "slabs/size_classes.h"

namespace cma {

// An owner that no superblock has.
inline constexpr uint16_t kNoCacheOwner = kNoArena - 1;
static_assert(kMaxArenas < kNoCacheOwner);

struct ThreadCache {
  // No list is in use.
  constexpr ThreadCache() {
    lists.fill(BlockList(g_no_slots + 1));
    served_elsewhere.fill(0x80);  // long ago
  }

  // First: a list is at the cache's address plus 8 times its class.
  std::array<BlockList, kSizeClasses> lists{};
  // What the hit path of free expects in the unit map. As wide as the index that is left of it.
  size_t owner_tag = AddressMap::kNoOwner;
  // The arena's number; that of none while there is no arena.
  uint16_t owner = kNoCacheOwner;
  // Here and not in one table for all: malloc has the cache's address in a register already.
  SizeClassTable class_of = kSizeClassOf;
  std::array<ListArray, kSizeClasses> backing{};

  ThreadCache* next = nullptr;  // registry of caches (ListNode's fields: lists come first here)
  ThreadCache* prev = nullptr;
  Arena* arena = nullptr;       // where misses go
  Outbox outbox;      // blocks of other arenas, on their way home
  SpareRuns spares;   // runs of any arena
  ArrayPool arrays;
  uint32_t events = 0;       // misses and overflows
  uint32_t gave_spares = 0;  // when all that waited went home before the arena grew: `events` then
  // When each class last had a miss or an overflow: as Now() was.
  std::array<uint8_t, kSizeClasses> used{};
  uint32_t gave_idle = 0;    // when idle blocks last went home, before the arena grew
  // When a miss of the class was last served from elsewhere: the low bits of `events`.
  std::array<uint8_t, kSmallClasses> served_elsewhere{};
  uint8_t soon_in_a_row = 0;  // such misses that came soon after one of their class
  Milliseconds swept = 0;    // when the lists were last looked over
  int16_t cpu_changed = 0;   // visits in a row on another arena's CPU, after one of another thread
  uint8_t met_here = 0;      // visits on its arena's CPU, after one of another thread
  bool mixed = false;        // lists may hold blocks of other arenas
  std::atomic<bool> in_slow_path{false};  // a fork's child must not trust the lists
  size_t grown_bytes = 0;    // what the lists have grown by, and large runs have claimed
  size_t claimed_bytes = 0;  // this cache's part of the budget: that, and some in advance

  void SetArena(Arena* its_arena) {
    arena = its_arena;
    owner = static_cast<uint16_t>(arena->id());
    owner_tag = AddressMap::OwnerTag(arena->id());
  }

  // Counts misses and overflows, but 16 as one, and modulo 2^8.
  uint8_t Now() const { return static_cast<uint8_t>(events / 16); }

  // Blocks in the list. Other threads may ask, and get a moment's truth.
  size_t depth(SizeClass c) const {
    return backing[c].DepthOf(lists[c]);
  }

  // A block of the class; nullptr with no errno if the OS refuses memory.
  static std::byte* RefillAndPop(SizeClass c);
  // Everything that is not a hit: full lists, blocks of other kinds, faults. `cache` is the calling
  // thread's, `unit` the block's entry in the unit map, exclusive-or with its owner tag, and
  // `remainder` what the entry's reciprocal says of the block's offset.
  static void FreeSlow(void* block, ThreadCache* cache, size_t unit, size_t remainder) noexcept;

  // The arena that serves the cache's thread, after a look at which CPU it runs on: for a run of so
  // many bytes, if it is not 0, of which none was kept.
  static Arena* HomeArena(ThreadCache* cache, size_t missed_bytes = 0);

  // After the OS has refused memory: gives it everything that is free and within reach.
  static void Reclaim();

  // Gives all blocks of the calling thread's cache back to their arenas.
  static void FlushCurrent();
};

// The calling thread's cache. Starts at, and goes back to, a cache whose lists are empty and full
// at once: the hit path needs no question whether there is one.
extern constinit thread_local ThreadCache* t_cache;

}  // namespace cma

#endif  // CMA_CACHE_THREAD_CACHE_H_
