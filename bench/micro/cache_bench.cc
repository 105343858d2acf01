// A thread's cache: hits, misses and overflows, blocks of other arenas, birth and death.

#include <benchmark/benchmark.h>

#include <thread>
#include <vector>

#include "cache/outbox.h"
#include "front/allocate.h"
#include "micro/quiet_heap.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;
using cma_bench::QuietHeap;
using cma_bench::TidyUp;

size_t BytesOf(const State& state) { return static_cast<size_t>(state.range(0)); }

void CountBlocks(State& state, size_t per_iteration) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * per_iteration));
}

// The hit path inlined, without the call through malloc: what is left is the list.
void BM_CacheHit(State& state) {
  QuietHeap();
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    void* const block = Allocate(bytes);
    DoNotOptimize(block);
    Deallocate(block);
  }
}
BENCHMARK(BM_CacheHit)->ArgName("bytes")->Arg(16)->Arg(64)->Arg(1024)->Arg(4096)->Arg(32 << 10);

// More blocks than a list holds at its longest: every half list is fetched by a refill and given
// back by a flush. Per pair of Allocate and Deallocate.
void BM_CacheRefillThenFlush(State& state) {
  QuietHeap();
  const size_t bytes = BytesOf(state);
  std::vector<void*> blocks(static_cast<size_t>(state.range(1)));
  for (auto _ : state) {
    for (void*& block : blocks) block = Allocate(bytes);
    benchmark::ClobberMemory();
    for (void* block : blocks) Deallocate(block);
  }
  CountBlocks(state, blocks.size());
}
BENCHMARK(BM_CacheRefillThenFlush)
    ->ArgNames({"bytes", "blocks"})
    ->Args({16, 2000})
    ->Args({64, 2000})
    ->Args({512, 1000})
    ->Args({4096, 100})
    ->Args({32 << 10, 20});

// A few blocks of each of many sizes, in turn: lists that stay short, and how fast they grow.
void BM_CacheManySizes(State& state) {
  QuietHeap();
  const auto sizes = static_cast<size_t>(state.range(0));
  constexpr size_t kOfEach = 8;
  std::vector<void*> blocks(sizes * kOfEach);
  for (auto _ : state) {
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = Allocate((i % sizes + 1) * 32);
    benchmark::ClobberMemory();
    for (void* block : blocks) Deallocate(block);
  }
  CountBlocks(state, blocks.size());
}
BENCHMARK(BM_CacheManySizes)->ArgName("sizes")->Arg(4)->Arg(32)->Arg(200);

// Blocks of another arena are collected in the outbox, posted a parcel at a time, and opened by
// their owner. Per block.
void BM_CacheSendHome(State& state) {
  Heap& heap = QuietHeap();
  Arena& home = *heap.arenas.At(0);
  Arena& owner = *heap.arenas.At(1);
  const SizeClass c = ClassOf(BytesOf(state));
  std::vector<std::byte*> blocks(static_cast<size_t>(state.range(1)));
  Outbox outbox;
  size_t sent = 0;
  TidyUp();
  for (auto _ : state) {
    size_t taken = 0;
    {
      LockGuard guard(owner.lock());
      taken = owner.TakeBlocks(c, blocks.data(), blocks.size());
    }
    for (size_t i = 0; i < taken; ++i) {
      KeyOf(AddressOf(blocks[i])) = 0;  // as the cache does that hands it out
      if (!outbox.Add(AddressOf(blocks[i]), ClassBytes(c), static_cast<uint16_t>(owner.id()), &home,
                      heap.arenas, heap.metadata)) {
        state.SkipWithError("no memory for a parcel");
      }
    }
    sent += taken;
  }
  state.SetItemsProcessed(static_cast<int64_t>(sent));
  outbox.Close(heap.arenas, heap.metadata);
}
BENCHMARK(BM_CacheSendHome)
    ->ArgNames({"bytes", "blocks"})
    ->Args({64, 10})
    ->Args({64, 1000})
    ->Args({1024, 63})
    ->Args({8 << 10, 8});

// A thread's whole life with cma: cache made at the first block, emptied at the end. `blocks` 0: a
// thread without cma, for comparison.
void BM_CacheBirthAndDeath(State& state) {
  QuietHeap();
  const auto count = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    std::thread thread([count] {
      for (size_t i = 0; i < count; ++i) {
        void* const block = Allocate(16 + i % 64 * 16);
        DoNotOptimize(block);
        Deallocate(block);
      }
    });
    thread.join();
  }
}
BENCHMARK(BM_CacheBirthAndDeath)->ArgName("blocks")->Arg(0)->Arg(1)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
