// All live thread caches, those that ended threads have left for others, in the child of a fork
// those of the threads that it lacks, and the budget that all share.
//
// Thread-safe; the lists have a lock of their own (LockRank::kRegistry), the budget is one atomic.
// Invariant: live caches whose spare runs are marked come before the others, so that a round finds
//            each at once, however many threads there are.
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

  // Leaves a live cache, with all that is in it, to a thread that starts. False, and then it stays
  // live, if `most` wait already.
  [[nodiscard]] bool Park(ThreadCache* cache, size_t most) ABSL_LOCKS_EXCLUDED(lock_);
  // The best of those for a thread on the CPU of `current`, live again: one of that arena, if there
  // is one, else the one that was left last. `unused_only`: whose arena no thread has. The arena is
  // joined. nullptr if there is none.
  [[nodiscard]] ThreadCache* Adopt(const Arena* current, bool unused_only)
      ABSL_LOCKS_EXCLUDED(lock_);
  // Those that wait now are to go unless they are adopted before.
  void MarkParked() ABSL_LOCKS_EXCLUDED(lock_);
  // An orphan, or the one that has waited longest of those that were marked, which is the caller's
  // then; nullptr if there is none.
  [[nodiscard]] ThreadCache* TakeMarked() ABSL_LOCKS_EXCLUDED(lock_);

  // What threads keep of large runs, and have taken none of since the last call, is to go: that of
  // `all` threads, even if they have. Whether any keeps some that it may keep.
  bool MarkSpares(bool all) ABSL_LOCKS_EXCLUDED(lock_) {
    return keepers_.load(std::memory_order_relaxed) != 0 && MarkKeptSpares(all);
  }
  // Hands all of one such thread's to `give`, under the registry's lock; false if there is none.
  bool GiveMarkedSpares(void (*give)(uintptr_t run)) ABSL_LOCKS_EXCLUDED(lock_) {
    return spares_marked_.load(std::memory_order_relaxed) && GiveFirstSpares(give);
  }
  // A cache keeps large runs from now on.
  void NoteSpares() { keepers_.fetch_add(1, std::memory_order_relaxed); }

  // Lets a cache grow by `bytes` more; false if that is over the budget, or over one `part`-th of
  // the cache's fair share of it. The caller owns the cache.
  bool Claim(ThreadCache* cache, size_t bytes, size_t part = 1);
  void Unclaim(ThreadCache* cache, size_t bytes);
  void UnclaimAll(ThreadCache* cache);

  // Bytes of blocks in all caches, and the number of caches: a moment's truth.
  struct Totals {
    size_t bytes = 0;
    size_t outbox_bytes = 0;  // part of `bytes`
    size_t spare_bytes = 0;   // the same: large runs
    size_t spare_runs = 0;
    size_t caches = 0;
  };
  // `blocks`, if not null, are kSizeClasses numbers to which what is in lists is added.
  Totals Count(size_t* blocks = nullptr) ABSL_LOCKS_EXCLUDED(lock_);

  size_t caches() const { return count_.load(std::memory_order_relaxed); }

  // Whether the block is in a list of its class, or, if that is 0, a large run that waits, in some
  // cache. What other threads do meanwhile may be missed.
  bool Holds(SizeClass c, uintptr_t block) ABSL_LOCKS_EXCLUDED(lock_);
  // The same for who may not wait: false as well if the registry is busy.
  bool TryHolds(SizeClass c, uintptr_t block) ABSL_LOCKS_EXCLUDED(lock_);

  // In the child of a fork: all live caches but the caller's are orphans, for TakeMarked(), or lost
  // if their threads may have been changing them. A look at each, and no write to most: the child
  // shares their pages with its parent, and may be about to run another program.
  void LeaveOrphans(ThreadCache* survivor) ABSL_LOCKS_EXCLUDED(lock_);

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }
  // Held while a cache that nobody has adopted is emptied, or runs are taken that wait for a thread
  // which does not come, and while figures are collected: cma does that by itself, and figures of a
  // program in which nothing happens are to be exact.
  Lock& emptying_lock() ABSL_LOCK_RETURNED(emptying_lock_) { return emptying_lock_; }

 private:
  // Live and parked ones, and orphans.
  template <typename F>
  void ForEach(F f) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    for (const IntrusiveList<ThreadCache>* list : {&caches_, &parked_, &orphans_}) {
      for (const ThreadCache* cache = list->front(); cache != nullptr; cache = cache->next)
        f(cache);
    }
  }
  bool MarkKeptSpares(bool all) ABSL_LOCKS_EXCLUDED(lock_);
  bool GiveFirstSpares(void (*give)(uintptr_t run)) ABSL_LOCKS_EXCLUDED(lock_);
  void RemoveParked(ThreadCache* cache) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  [[gnu::noinline]] ThreadCache* TakeOrphan() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool HoldsLocked(SizeClass c, uintptr_t block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  Lock emptying_lock_{LockRank::kEmptying};
  Lock lock_{LockRank::kRegistry};
  IntrusiveList<ThreadCache> caches_ ABSL_GUARDED_BY(lock_);  // live, new ones at the end
  IntrusiveList<ThreadCache> parked_ ABSL_GUARDED_BY(lock_);  // the last one that was left is first
  size_t marked_ ABSL_GUARDED_BY(lock_) = 0;                  // so many at the end
  // Nobody adopts them: a thread may have been stopped between two instructions of the hit path.
  IntrusiveList<ThreadCache> orphans_ ABSL_GUARDED_BY(lock_);
  std::atomic<size_t> count_{0};                              // live
  std::atomic<size_t> parked_count_{0};                       // written under the lock
  std::atomic<bool> has_orphans_{false};                      // the same
  std::atomic<size_t> keepers_{0};          // caches that have ever kept a large run
  std::atomic<bool> spares_marked_{false};  // some may be
  // Written when lists grow, the others when threads come and go.
  alignas(kIsolation) std::atomic<size_t> claimed_{0};
};

extern CacheRegistry g_caches;

}  // namespace cma

#endif  // CMA_CACHE_CACHE_REGISTRY_H_
