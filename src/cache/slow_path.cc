#include "cache/slow_path.h"

#include "arena/heap.h"
#include "cache/list_upkeep.h"

namespace cma {

namespace {

// Time between two looks for lists that are not used. Half and double the same in kv_store/1 and
// idle_threads.
constexpr Milliseconds kSweepDelay = 100;

}  // namespace

void DoWhatIsDue(ThreadCache* cache) {
  const Milliseconds now = g_heap.central.os().now();
  g_heap.releaser.Step(now);
  if (now < cache->swept + kSweepDelay) return;
  cache->swept = now;
  SweepLists(cache);
}

}  // namespace cma
