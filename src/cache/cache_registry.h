// All live thread caches, and the budget that they share.
//
// Thread-safe; the list has a lock of its own (LockRank::kRegistry), the budget is one atomic.
#ifndef CMA_CACHE_CACHE_REGISTRY_H_
#define CMA_CACHE_CACHE_REGISTRY_H_

#include <atomic>
#include <cstddef>

#include "base/intrusive_list.h"
#include "cache/thread_cache.h"
#include "sync/lock.h"

namespace cma {

class CacheRegistry {
 public:
  constexpr CacheRegistry() = default;

  void Add(ThreadCache* cache) ABSL_LOCKS_EXCLUDED(lock_);
  void Remove(ThreadCache* cache) ABSL_LOCKS_EXCLUDED(lock_);

  // Lets a cache grow by `bytes` more; false if that is over the budget, or over the cache's fair
  // share of it. The caller owns the cache.
  bool Claim(ThreadCache* cache, size_t bytes);
  void Unclaim(ThreadCache* cache, size_t bytes);
  void UnclaimAll(ThreadCache* cache);

  // Bytes of blocks in all caches, and the number of caches: a moment's truth.
  struct Totals {
    size_t bytes = 0;
    size_t outbox_bytes = 0;  // part of `bytes`
    size_t caches = 0;
  };
  // `blocks`, if not null, are kSizeClasses numbers to which what is in lists is added.
  Totals Count(size_t* blocks = nullptr) ABSL_LOCKS_EXCLUDED(lock_);

  size_t caches() const { return count_.load(std::memory_order_relaxed); }

  // Whether the block is in a list of its class in some cache. What other threads do meanwhile may
  // be missed; and so is everything if the registry is busy.
  bool Holds(SizeClass c, uintptr_t block) ABSL_LOCKS_EXCLUDED(lock_);

  // In the child of a fork: takes all caches but the caller's off the list, one per call;
  // nullptr when that is done.
  ThreadCache* TakeOrphan(const ThreadCache* survivor) ABSL_LOCKS_EXCLUDED(lock_);

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

 private:
  Lock lock_{LockRank::kRegistry};
  IntrusiveList<ThreadCache> caches_ ABSL_GUARDED_BY(lock_);
  std::atomic<size_t> count_{0};
  // Written when lists grow, the others when threads come and go.
  alignas(kIsolation) std::atomic<size_t> claimed_{0};
};

extern CacheRegistry g_caches;

}  // namespace cma

#endif  // CMA_CACHE_CACHE_REGISTRY_H_
