// What begins every call of a thread into its cache that is more than a hit.
#ifndef CMA_CACHE_SLOW_PATH_H_
#define CMA_CACHE_SLOW_PATH_H_

#include <atomic>
#include <cstdint>

#include "cache/thread_cache.h"

namespace cma {

// Misses and overflows between two looks at the clock. Half and double the same in slot_churn/1 and
// larson_server/1.
inline constexpr uint32_t kStepEvents = 32;

// What has time: a round of the releaser that is due, and the thread's lists looked over.
void DoWhatIsDue(ThreadCache* cache);

// A miss or an overflow.
inline void CountEvent(ThreadCache* cache) {
  if (++cache->events % kStepEvents == 0) [[unlikely]]
    DoWhatIsDue(cache);
}
// Of a class.
inline void CountEvent(ThreadCache* cache, SizeClass c) {
  CountEvent(cache);
  cache->used[c] = cache->Now();
}

// While it lives, a fork's child does not trust the cache's lists.
class SlowPath {
 public:
  explicit SlowPath(ThreadCache* cache)
      : cache_(cache), within_another_(cache->in_slow_path.load(std::memory_order_relaxed)) {
    cache_->in_slow_path.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~SlowPath() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    cache_->in_slow_path.store(within_another_, std::memory_order_relaxed);
  }

 private:
  ThreadCache* const cache_;
  const bool within_another_;  // EmptyCache() of a thread that moves to another arena
};

}  // namespace cma

#endif  // CMA_CACHE_SLOW_PATH_H_
