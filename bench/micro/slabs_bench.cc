// Slabs: blocks out of a bitmap and back into it, and the arithmetic of size classes.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "micro/quiet_heap.h"
#include "runs/run_heap.h"
#include "slabs/size_classes.h"
#include "slabs/slab.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;
using cma_bench::QuietHeap;

// One slab, and the superblock around it.
class OneSlab {
 public:
  explicit OneSlab(size_t block_bytes)
      : heap_(QuietHeap().central, ArenaId{0}), slab_(MakeSlab(heap_.TakeSlabRun(), ClassOf(block_bytes))) {}
  OneSlab(const OneSlab&) = delete;
  OneSlab& operator=(const OneSlab&) = delete;
  ~OneSlab() { heap_.GiveRun(UnmakeSlab(slab_)); }

  Slab* get() const { return slab_; }

 private:
  RunHeap heap_;
  Slab* slab_;
};

void CountBlocks(State& state, size_t per_iteration) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * per_iteration));
}

// A run becomes a slab and a run again: what the first block of a size costs.
void BM_SlabMakeThenUnmake(State& state) {
  RunHeap heap(QuietHeap().central, ArenaId{0});
  const SizeClass c = ClassOf(static_cast<size_t>(state.range(0)));
  Run run = heap.TakeSlabRun();
  for (auto _ : state) run = UnmakeSlab(MakeSlab(run, c));
  heap.GiveRun(run);
}
BENCHMARK(BM_SlabMakeThenUnmake)->ArgName("bytes")->Arg(16)->Arg(64)->Arg(1024);

// Batches as refills and flushes move them, per block.
void BM_SlabBatch(State& state) {
  const OneSlab slab(static_cast<size_t>(state.range(0)));
  std::vector<std::byte*> batch(static_cast<size_t>(state.range(1)));
  for (auto _ : state) {
    const size_t taken = TakeFromSlab(slab.get(), batch.data() + batch.size(), batch.size());
    DoNotOptimize(GiveToSlab(slab.get(), batch.data() + batch.size() - taken, taken));
  }
  CountBlocks(state, batch.size());
}
BENCHMARK(BM_SlabBatch)
    ->ArgNames({"bytes", "blocks"})
    ->Args({16, 1})
    ->Args({16, 32})
    ->Args({16, 4096})
    ->Args({64, 32})
    ->Args({64, 1024})
    ->Args({1024, 3})
    ->Args({1024, 64});

// A sparse slab: the free blocks are single ones, spread over all of it.
void BM_SlabBatchFromHoles(State& state) {
  const OneSlab slab(64);
  std::vector<std::byte*> blocks(slab.get()->capacity);
  TakeFromSlab(slab.get(), blocks.data() + blocks.size(), blocks.size());
  std::shuffle(blocks.begin(), blocks.end(), std::minstd_rand(1));
  const size_t holes = blocks.size() / 8;
  GiveToSlab(slab.get(), blocks.data(), holes);
  std::vector<std::byte*> batch(32);
  for (auto _ : state) {
    const size_t taken = TakeFromSlab(slab.get(), batch.data() + batch.size(), batch.size());
    DoNotOptimize(GiveToSlab(slab.get(), batch.data() + batch.size() - taken, taken));
  }
  CountBlocks(state, batch.size());
  GiveToSlab(slab.get(), blocks.data() + holes, blocks.size() - holes);
}
BENCHMARK(BM_SlabBatchFromHoles);

// What a sweep asks of every slab.
void BM_SlabIdlePages(State& state) {
  const OneSlab slab(static_cast<size_t>(state.range(0)));
  std::byte* block = nullptr;
  TakeFromSlab(slab.get(), &block + 1, 1);
  for (auto _ : state) DoNotOptimize(IdlePages(slab.get()));
  GiveToSlab(slab.get(), &block, 1);
}
BENCHMARK(BM_SlabIdlePages)->ArgName("bytes")->Arg(16)->Arg(64)->Arg(1024);

// Sizes of all classes in turn: those up to kTableMax by one table, larger ones by another.
void BM_ClassOfSize(State& state) {
  const auto largest = static_cast<size_t>(state.range(0));
  size_t size = 1;
  for (auto _ : state) {
    DoNotOptimize(ClassBytes(ClassOf(size)));
    size = size * 5 % largest + 1;
  }
}
BENCHMARK(BM_ClassOfSize)->ArgName("largest")->Arg(kTableMax)->Arg(kMediumMax);

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
