// One thread's free blocks: the whole fast path of malloc and free.
//
// Owner:     its thread; no lock, no atomic operation. Other threads read depths for statistics
//            (a moment's truth). A fork's child empties the caches of threads that it lacks.
// Lists:     one stack per size class. A miss fetches half a list from the arena, an overflow
//            gives half a list back; the capacity doubles with misses while the process-wide
//            budget lasts, and falls again when a list goes unused.
// Invariant: every block in a list is free, carries the free key in its second word, and is of
//            the list's class and arena (unless mixed_ says that another one had to help out).
#ifndef CMA_CACHE_THREAD_CACHE_H_
#define CMA_CACHE_THREAD_CACHE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arena/arena.h"
#include "cache/array_pool.h"
#include "cache/block_list.h"
#include "cache/outbox.h"
#include "central/address_map.h"
#include "slabs/size_classes.h"

namespace cma {

struct ThreadCache {
  // No list is in use.
  constexpr ThreadCache() {
    lists.fill({Cursor(g_no_slots + 1), 0, 0, 0});
    slots.fill(Cursor(g_no_slots));
    set_owner_tag(AddressMap::kNoOwner);
  }

  // What the hit path of free expects in the unit map. It lies with the list of class 0, which is
  // never filled.
  uint32_t owner_tag() const { return lists[0].reciprocal; }
  constexpr void set_owner_tag(uint32_t tag) { lists[0].reciprocal = tag; }

  // First: a small list is at the cache's address plus its block size.
  std::array<BlockList, kSizeClasses> lists{};
  std::array<Cursor, kSizeClasses> slots{};  // the lists' arrays

  ThreadCache* next = nullptr;  // registry of live caches (ListNode's fields: lists come first here)
  ThreadCache* prev = nullptr;
  Arena* arena = nullptr;       // where misses go
  Outbox outbox;      // blocks of other arenas, on their way home
  ArrayPool arrays;
  uint32_t events = 0;       // misses and overflows
  Milliseconds swept = 0;    // when the lists were last looked over
  uint16_t cpu_changed = 0;  // misses in a row on another arena's CPU
  bool mixed = false;        // lists may hold blocks of other arenas
  std::atomic<bool> in_slow_path{false};  // a fork's child must not trust the lists
  size_t grown_bytes = 0;    // this cache's part of the budget

  // Blocks in the list. Other threads may ask, and get a moment's truth.
  size_t depth(SizeClass c) const {
    return static_cast<size_t>(lists[c].top - slots[c]) - 1;
  }

  // A block of the class; nullptr with no errno if the OS refuses memory.
  static std::byte* RefillAndPop(SizeClass c);
  // Everything that is not a hit: full lists, blocks of other kinds, faults.
  static void FreeSlow(void* block);

  // The arena that serves the cache's thread, after a look at which CPU it runs on.
  static Arena* HomeArena(ThreadCache* cache);

  // After the OS has refused memory: gives it everything that is free and within reach.
  static void Reclaim();

  // Gives all blocks of the calling thread's cache back to their arenas.
  static void FlushCurrent();
};

// The calling thread's cache. Starts at, and goes back to, a cache whose lists are empty and full
// at once: the hit path needs no question whether there is one.
extern constinit thread_local ThreadCache* t_cache;

inline BlockList& SmallList(ThreadCache* cache, size_t block_bytes) {
  static_assert(offsetof(BlockList, top) == 0);
  return *reinterpret_cast<BlockList*>(reinterpret_cast<std::byte*>(cache->lists.data()) +
                                       block_bytes);
}

// The second word of a block: the free key while the block is in a list.
inline uint64_t& KeyOf(uintptr_t block) { return reinterpret_cast<uint64_t*>(block)[1]; }

// Pops a block of the class; kBottomMark if the list is empty.
inline uintptr_t Pop(BlockList& list) {
  const uintptr_t block = list.top[-1];
  if (block == kBottomMark) [[unlikely]] return kBottomMark;
  KeyOf(block) = 0;
  list.top.StepDown();
  return block;
}

// REQUIRES: `slot` is the list's top, and the list is not full. A fork may stop the thread between
// any two instructions: the address is in place before it counts.
inline void PushAt(uintptr_t* slot, BlockList& list, uintptr_t block, uint64_t key) {
  *slot = block;
  list.top.StepUp();
  KeyOf(block) = key;
}

// REQUIRES: the list is not full.
inline void Push(BlockList& list, uintptr_t block, uint64_t key) {
  PushAt(list.top, list, block, key);
}

}  // namespace cma

#endif  // CMA_CACHE_THREAD_CACHE_H_
