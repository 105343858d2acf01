// All heaps that the program has made.
//
// Owns:      the heaps. One that was destroyed keeps its place, its arena and its number, for the
//            next one that is made: what still points to it can be told that it is gone.
// Locking:   making and destroying take lock_ (LockRank::kUserHeaps), which ranks below all others.
//            Finding a heap takes none.
#ifndef CMA_HEAPS_USER_HEAPS_H_
#define CMA_HEAPS_USER_HEAPS_H_

#include <atomic>
#include <cstddef>

#include "arena/arena_set.h"
#include "central/central_heap.h"
#include "central/huge_blocks.h"
#include "heaps/user_heap.h"
#include "sync/lock.h"

namespace cma {

class UserHeaps {
 public:
  constexpr UserHeaps(ArenaSet& arenas, CentralHeap& central, HugeBlocks& huge)
      : arenas_(&arenas), central_(&central), huge_(&huge) {}

  // nullptr if there is no memory for it, or there are kMaxUserHeaps. `name` is copied and may be
  // null; `limit` in bytes.
  [[nodiscard]] UserHeap* Make(const char* name, size_t limit) ABSL_LOCKS_EXCLUDED(lock_);

  // Gives all memory of the heap to the central heap and the cache of huge blocks; false if it is
  // not live. REQUIRES: no other thread uses it, or frees a block of it, any more.
  [[nodiscard]] bool Destroy(UserHeap* heap) ABSL_LOCKS_EXCLUDED(lock_);

  // The heap of a superblock's or a unit's arena; nullptr for the arenas of threads.
  UserHeap* OfArena(uint16_t arena) const {
    if (!IsUserHeap(arena)) [[likely]] return nullptr;
    // Acquire pairs with the release in Places(); null for who has a wrong pointer, and so no way
    // to know of the heap.
    const Place* const heaps = heaps_.load(std::memory_order_acquire);
    return heaps != nullptr ? heaps[arena - kMaxArenas].load(std::memory_order_relaxed) : nullptr;
  }

  // The heap that HugeBlocks says a block is charged to. Those are all accounts there are.
  static UserHeap* OfAccount(Account* account) { return static_cast<UserHeap*>(account); }

  // Calls f(heap) for each live one.
  template <typename F>
  void ForEach(F f) ABSL_LOCKS_EXCLUDED(lock_) {
    LockGuard guard(lock_);
    const Place* const heaps = heaps_.load(std::memory_order_relaxed);
    for (size_t i = 0; i < made_; ++i) {
      UserHeap* const heap = heaps[i].load(std::memory_order_relaxed);
      if (heap->is_live()) f(*heap);
    }
  }

  size_t live() const { return live_.load(std::memory_order_relaxed); }

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

 private:
  using Place = std::atomic<UserHeap*>;

  Place* Places() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  UserHeap* Unused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  ArenaSet* const arenas_;
  CentralHeap* const central_;
  HugeBlocks* const huge_;
  Lock lock_{LockRank::kUserHeaps};
  UserHeap* unused_ ABSL_GUARDED_BY(lock_) = nullptr;  // destroyed ones
  size_t made_ ABSL_GUARDED_BY(lock_) = 0;             // live and destroyed ones
  std::atomic<size_t> live_{0};
  std::atomic<Place*> heaps_{nullptr};  // kMaxUserHeaps of them, once there is one
};

extern UserHeaps g_user_heaps;

}  // namespace cma

#endif  // CMA_HEAPS_USER_HEAPS_H_
