// Runs: split off, merged with both neighbours, found among holes, resized in place.

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "micro/quiet_heap.h"
#include "runs/run_heap.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;
using cma_bench::QuietHeap;

constexpr uint32_t Granules(size_t bytes) {
  return static_cast<uint32_t>((bytes + kGranuleBytes - 1) / kGranuleBytes);
}

// An own heap of runs: no arena, and so no lock.
RunHeap NewRunHeap() { return RunHeap(QuietHeap().central, ArenaId{0}); }

// Split off the one free run, and merged with it again.
void BM_RunSplitThenMerge(State& state) {
  RunHeap heap = NewRunHeap();
  const uint32_t length = Granules(static_cast<size_t>(state.range(0)));
  const Run neighbour = heap.TakeRun(kGranulesPerSlot, 1, nullptr);
  for (auto _ : state) {
    const Run run = heap.TakeRun(length, 1, nullptr);
    DoNotOptimize(run.start);
    heap.GiveRun(run);
  }
  heap.GiveRun(neighbour);
}
BENCHMARK(BM_RunSplitThenMerge)
    ->ArgName("bytes")
    ->Arg(1088)
    ->Arg(4 << 10)
    ->Arg(32 << 10)
    ->Arg(1 << 20);

// Given back between two free neighbours: one run of three. The most work that a merge can be.
void BM_RunMergeThreeThenSplit(State& state) {
  RunHeap heap = NewRunHeap();
  const uint32_t length = Granules(4 << 10);
  const Run before = heap.TakeRun(length, 1, nullptr);
  const Run middle = heap.TakeRun(length, 1, nullptr);
  const Run after = heap.TakeRun(length, 1, nullptr);
  const Run edge = heap.TakeRun(length, 1, nullptr);
  for (auto _ : state) {
    heap.GiveRun(before);
    heap.GiveRun(after);
    heap.GiveRun(middle);
    for (int i = 0; i < 3; ++i) DoNotOptimize(heap.TakeRun(length, 1, nullptr).start);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 3);
  // Best fit has put the three back where they were.
  for (const Run& run : {before, middle, after, edge}) heap.GiveRun(run);
}
BENCHMARK(BM_RunMergeThreeThenSplit);

void BM_SlabRunTakeThenGive(State& state) {
  RunHeap heap = NewRunHeap();
  const Run neighbour = heap.TakeSlabRun();
  for (auto _ : state) {
    const Run run = heap.TakeSlabRun();
    DoNotOptimize(run.start);
    heap.GiveRun(run);
  }
  heap.GiveRun(neighbour);
}
BENCHMARK(BM_SlabRunTakeThenGive);

// Random lengths replace each other in a heap of many holes: best fit at work.
void BM_RunRandomReplacement(State& state) {
  RunHeap heap = NewRunHeap();
  std::minstd_rand random(1);
  std::uniform_int_distribution<uint32_t> lengths(kGranulesPerSlot + 1,
                                                  Granules(static_cast<size_t>(state.range(1))));
  std::vector<Run> live(static_cast<size_t>(state.range(0)));
  for (Run& run : live) run = heap.TakeRun(lengths(random), 1, nullptr);
  for (auto _ : state) {
    Run& run = live[random() % live.size()];
    heap.GiveRun(run);
    run = heap.TakeRun(lengths(random), 1, nullptr);
  }
  for (const Run& run : live) heap.GiveRun(run);
}
BENCHMARK(BM_RunRandomReplacement)
    ->ArgNames({"runs", "largest"})
    ->Args({1000, 32 << 10})
    ->Args({10'000, 32 << 10})
    ->Args({100, 1 << 20});

// Aligned runs need a place with room in front.
void BM_RunAligned(State& state) {
  RunHeap heap = NewRunHeap();
  const auto alignment = static_cast<uint32_t>(state.range(0));
  const Run neighbour = heap.TakeRun(kGranulesPerSlot + 1, 1, nullptr);
  for (auto _ : state) {
    const Run run = heap.TakeRun(Granules(8 << 10), Granules(alignment), nullptr);
    DoNotOptimize(run.start);
    heap.GiveRun(run);
  }
  heap.GiveRun(neighbour);
}
BENCHMARK(BM_RunAligned)->ArgName("alignment")->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

// realloc in place, there and back.
void BM_RunResizeInPlace(State& state) {
  RunHeap heap = NewRunHeap();
  const Run run = heap.TakeRun(Granules(64 << 10), 1, nullptr);
  for (auto _ : state) {
    bool resized = heap.ResizeRun(run, Granules(96 << 10));
    resized = heap.ResizeRun({run.superblock, run.start, Granules(96 << 10)}, Granules(64 << 10)) &&
              resized;
    if (!resized) state.SkipWithError("no room");
  }
  heap.GiveRun(run);
}
BENCHMARK(BM_RunResizeInPlace);

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
