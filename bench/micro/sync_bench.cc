// The lock that every miss takes, alone and among others.

#include <benchmark/benchmark.h>

#include <cstdint>

#include "base/constants.h"
#include "sync/lock.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;

// A lock and what it protects, in a line of their own.
struct alignas(kIsolation) Shared {
  Lock lock{LockRank::kMetadata};
  uint64_t value ABSL_GUARDED_BY(lock) = 0;
};

// By far the most frequent case.
void BM_LockThenUnlock(State& state) {
  Shared shared;
  for (auto _ : state) {
    LockGuard guard(shared.lock);
    DoNotOptimize(++shared.value);
  }
}
BENCHMARK(BM_LockThenUnlock);

// What AcquireNear does first.
void BM_TryLockThenUnlock(State& state) {
  Shared shared;
  for (auto _ : state) {
    if (!shared.lock.TryAcquire()) continue;
    DoNotOptimize(++shared.value);
    shared.lock.Release();
  }
}
BENCHMARK(BM_TryLockThenUnlock);

// Threads that do nothing but compete: how long a thread spins before it sleeps shows here. With
// more threads than CPUs a holder may lose its CPU. `held`: steps of work under the lock.
void BM_LockAmongThreads(State& state) {
  static Shared shared;
  const int64_t held = state.range(0);
  for (auto _ : state) {
    LockGuard guard(shared.lock);
    for (int64_t i = 0; i < held; ++i) DoNotOptimize(++shared.value);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(BM_LockAmongThreads)
    ->ArgName("held")
    ->Arg(4)
    ->Arg(200)
    ->ThreadRange(1, 16)
    ->UseRealTime();

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
