// What a heap of <cma/cma.h> costs beside plain cma_malloc(). Needs no preload: it is linked with
// cma's prefixed interface.

#include <benchmark/benchmark.h>

#include <cma/cma.hpp>

#include <cstddef>
#include <map>
#include <thread>
#include <vector>

namespace {

using benchmark::DoNotOptimize;
using benchmark::State;

size_t BytesOf(const State& state) { return static_cast<size_t>(state.range(0)); }

void CountItems(State& state, int64_t per_iteration) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * per_iteration);
}

// One heap for all threads of a benchmark.
cma_heap* SharedHeap() {
  static cma_heap* const heap = cma_heap_create("shared", 0);
  return heap;
}

void BM_MallocThenFree(State& state) {
  for (auto _ : state) {
    void* block = cma_malloc(BytesOf(state));
    DoNotOptimize(block);
    cma_free(block);
  }
  CountItems(state, 1);
}
void BM_HeapMallocThenFree(State& state) {
  cma_heap* const heap = SharedHeap();
  for (auto _ : state) {
    void* block = cma_heap_malloc(heap, BytesOf(state));
    DoNotOptimize(block);
    cma_free(block);
  }
  CountItems(state, 1);
}
#define CMA_SIZES ArgName("bytes")->Arg(64)->Arg(1024)->Arg(4096)->Arg(64 << 10)->Arg(2 << 20)
BENCHMARK(BM_MallocThenFree)->CMA_SIZES;
BENCHMARK(BM_HeapMallocThenFree)->CMA_SIZES;

// All threads on one heap: they meet at its lock.
BENCHMARK(BM_HeapMallocThenFree)
    ->Name("BM_HeapMallocThenFreeOnManyThreads")
    ->ArgName("bytes")
    ->Arg(64)
    ->ThreadRange(2, 8)
    ->UseRealTime();

// A thread with a heap of its own meets nobody.
void BM_OwnHeapMallocThenFree(State& state) {
  cma::heap heap("own");
  for (auto _ : state) {
    void* block = heap.try_allocate(BytesOf(state));
    DoNotOptimize(block);
    cma_free(block);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_OwnHeapMallocThenFree)->ArgName("bytes")->Arg(64)->ThreadRange(2, 8)->UseRealTime();

// A request's data: many small blocks, all gone at its end.
void BM_FreeOneByOne(State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  std::vector<void*> blocks(count);
  for (auto _ : state) {
    for (size_t i = 0; i < count; ++i) blocks[i] = cma_malloc(16 + i % 16 * 16);
    benchmark::ClobberMemory();
    for (void* block : blocks) cma_free(block);
  }
  CountItems(state, state.range(0));
}
BENCHMARK(BM_FreeOneByOne)->ArgName("blocks")->Arg(100)->Arg(10'000);

void BM_DestroyHeap(State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    cma::heap heap("request");
    for (size_t i = 0; i < count; ++i) DoNotOptimize(heap.try_allocate(16 + i % 16 * 16));
  }
  CountItems(state, state.range(0));
}
BENCHMARK(BM_DestroyHeap)->ArgName("blocks")->Arg(0)->Arg(100)->Arg(10'000);

// A container in a heap.
template <typename Allocator>
void FillMap(State& state, Allocator allocator) {
  for (auto _ : state) {
    std::map<int, int, std::less<>, Allocator> map(allocator);
    for (int i = 0; i < 1000; ++i) map.emplace(i * 7919 % 1000, i);
    DoNotOptimize(map);
  }
  CountItems(state, 1000);
}
using MapAllocator = cma::allocator<std::pair<const int, int>>;
void BM_MapInTheProcessHeap(State& state) { FillMap(state, MapAllocator()); }
void BM_MapInAHeap(State& state) {
  cma::heap heap("map");
  FillMap(state, MapAllocator(heap));
}
BENCHMARK(BM_MapInTheProcessHeap);
BENCHMARK(BM_MapInAHeap);

}  // namespace

BENCHMARK_MAIN();
