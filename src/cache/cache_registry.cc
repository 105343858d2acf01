#include "cache/cache_registry.h"

#include <algorithm>

#include "options/options.h"

namespace cma {

namespace {

// A single thread gets no more than its share of so many. Chosen by slot_churn/1: double
// leaves its lists 2 MiB, which is too little.
constexpr size_t kFewestSharers = 8;
// It claims at least so much of it at a time: all threads share the counter. Half and double the
// same in slot_churn/1 and larson_server/1; larson_server simulated on 64 cores chose it.
constexpr size_t kClaimsPerShare = 16;

}  // namespace

constinit CacheRegistry g_caches;

void CacheRegistry::Add(ThreadCache* cache) {
  LockGuard guard(lock_);
  caches_.PushBack(cache);
  count_.fetch_add(1, std::memory_order_relaxed);
}

void CacheRegistry::Remove(ThreadCache* cache) {
  LockGuard guard(lock_);
  caches_.Remove(cache);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

bool CacheRegistry::Park(ThreadCache* cache, size_t most) {
  LockGuard guard(lock_);
  const size_t parked = parked_count_.load(std::memory_order_relaxed);
  if (parked >= most) return false;
  caches_.Remove(cache);
  parked_.PushFront(cache);
  count_.fetch_sub(1, std::memory_order_relaxed);
  parked_count_.store(parked + 1, std::memory_order_relaxed);
  cache->arena->Leave();
  return true;
}

void CacheRegistry::RemoveParked(ThreadCache* cache) {
  parked_.Remove(cache);
  const size_t left = parked_count_.load(std::memory_order_relaxed) - 1;
  parked_count_.store(left, std::memory_order_relaxed);
  marked_ = std::min(marked_, left);
}

ThreadCache* CacheRegistry::Adopt(const Arena* current, bool unused_only) {
  if (parked_count_.load(std::memory_order_relaxed) == 0) return nullptr;
  LockGuard guard(lock_);
  ThreadCache* best = nullptr;
  for (ThreadCache* cache = parked_.front(); cache != nullptr; cache = cache->next) {
    if (unused_only && cache->arena->HasUsers()) continue;
    if (best == nullptr || cache->arena == current) best = cache;
    if (cache->arena == current) break;
  }
  if (best == nullptr) return nullptr;
  RemoveParked(best);
  best->arena->Join();
  (void)best->spares.TestAndClearMarked();
  caches_.PushBack(best);
  count_.fetch_add(1, std::memory_order_relaxed);
  return best;
}

void CacheRegistry::MarkParked() {
  if (parked_count_.load(std::memory_order_relaxed) == 0) return;
  LockGuard guard(lock_);
  marked_ = parked_count_.load(std::memory_order_relaxed);
}

ThreadCache* CacheRegistry::TakeMarked() {
  if (parked_count_.load(std::memory_order_relaxed) == 0 &&
      !has_orphans_.load(std::memory_order_relaxed)) {
    return nullptr;
  }
  LockGuard guard(lock_);
  if (!orphans_.empty()) [[unlikely]]
    return TakeOrphan();
  if (marked_ == 0) return nullptr;
  --marked_;
  ThreadCache* const cache = parked_.back();
  RemoveParked(cache);
  return cache;
}

bool CacheRegistry::MarkKeptSpares(bool all) {
  LockGuard guard(lock_);
  bool any_used = false;
  ThreadCache* next;
  for (ThreadCache* cache = caches_.front(); cache != nullptr; cache = next) {
    next = cache->next;
    const SpareRuns::Mark mark = cache->spares.MarkIfUnused(all);
    any_used = any_used || mark == SpareRuns::Mark::kUsed;
    if (mark != SpareRuns::Mark::kMarked) continue;
    caches_.Remove(cache);
    caches_.PushFront(cache);
    spares_marked_.store(true, std::memory_order_relaxed);
  }
  return any_used;
}

bool CacheRegistry::GiveFirstSpares(void (*give)(uintptr_t run)) {
  LockGuard guard(lock_);
  ThreadCache* const cache = caches_.front();
  if (cache == nullptr || !cache->spares.TestAndClearMarked()) {
    spares_marked_.store(false, std::memory_order_relaxed);
    return false;
  }
  caches_.Remove(cache);
  caches_.PushBack(cache);
  cache->spares.StealAll(give);
  return true;
}

bool CacheRegistry::Claim(ThreadCache* cache, size_t bytes, size_t part) {
  if (bytes > cache->claimed_bytes - cache->grown_bytes) {
    const size_t budget = g_options.cache_budget_kib * kKiB;
    const size_t share = budget / std::max(kFewestSharers, count_.load(std::memory_order_relaxed));
    if (cache->grown_bytes + bytes > share / part) return false;
    const size_t more = std::max(bytes, share / kClaimsPerShare);
    // A look first: where all is claimed every miss of every thread asks.
    if (claimed_.load(std::memory_order_relaxed) + more > budget) return false;
    const size_t before = claimed_.fetch_add(more, std::memory_order_relaxed);
    if (before + more > budget) {
      claimed_.fetch_sub(more, std::memory_order_relaxed);
      return false;
    }
    cache->claimed_bytes += more;
  }
  cache->grown_bytes += bytes;
  return true;
}

void CacheRegistry::Unclaim(ThreadCache* cache, size_t bytes) {
  cache->grown_bytes -= bytes;
  if (cache->grown_bytes == 0) UnclaimAll(cache);
}

void CacheRegistry::UnclaimAll(ThreadCache* cache) {
  claimed_.fetch_sub(cache->claimed_bytes, std::memory_order_relaxed);
  cache->claimed_bytes = 0;
  cache->grown_bytes = 0;
}

CacheRegistry::Totals CacheRegistry::Count(size_t* blocks) {
  LockGuard guard(lock_);
  Totals totals;
  totals.caches = count_.load(std::memory_order_relaxed);
  ForEach([&totals, blocks](const ThreadCache* cache) {
    for (SizeClass c = 1; c < kSizeClasses; ++c) {
      // A list that is being moved to another array may look far too deep.
      const ListArray array = cache->backing[c];
      const size_t depth = std::min(array.DepthOf(cache->lists[c]), array.capacity());
      totals.bytes += depth * ClassBytes(c);
      if (blocks != nullptr) blocks[c] += depth;
    }
    totals.outbox_bytes += cache->outbox.bytes();
    totals.spare_bytes += cache->spares.AllBytes();
    totals.spare_runs += cache->spares.Count();
  });
  totals.bytes += totals.outbox_bytes + totals.spare_bytes;
  return totals;
}

bool CacheRegistry::Holds(SizeClass c, uintptr_t block) {
  LockGuard guard(lock_);
  return HoldsLocked(c, block);
}

bool CacheRegistry::TryHolds(SizeClass c, uintptr_t block) {
  if (!lock_.TryAcquire()) return false;
  const bool found = HoldsLocked(c, block);
  lock_.Release();
  return found;
}

bool CacheRegistry::HoldsLocked(SizeClass c, uintptr_t block) {
  bool found = false;
  ForEach([&found, c, block](const ThreadCache* cache) {
    if (found || c == 0) {
      found = found || cache->spares.Holds(block);
      return;
    }
    const ListArray array = cache->backing[c];
    const uintptr_t* const first = array.slots() + 1;
    const size_t depth = std::min(array.DepthOf(cache->lists[c]), array.capacity());
    found = std::find(first, first + depth, block) != first + depth;
  });
  return found;
}

void CacheRegistry::LeaveOrphans(ThreadCache* survivor) {
  LockGuard guard(lock_);
  bool is_live = false;
  ThreadCache* next;
  for (ThreadCache* cache = caches_.front(); cache != nullptr; cache = next) {
    next = cache->next;
    is_live = is_live || cache == survivor;
    if (cache != survivor && !cache->in_slow_path.load(std::memory_order_relaxed)) continue;
    caches_.Remove(cache);
  }
  orphans_.TakeAllOf(caches_);
  has_orphans_.store(!orphans_.empty(), std::memory_order_relaxed);
  if (is_live) caches_.PushBack(survivor);
  count_.store(is_live ? 1 : 0, std::memory_order_relaxed);
  size_t claimed = 0;
  ForEach([&claimed](const ThreadCache* cache) { claimed += cache->claimed_bytes; });
  claimed_.store(claimed, std::memory_order_relaxed);
}

ThreadCache* CacheRegistry::TakeOrphan() {
  ThreadCache* const orphan = orphans_.PopFront();
  has_orphans_.store(!orphans_.empty(), std::memory_order_relaxed);
  return orphan;
}

}  // namespace cma
