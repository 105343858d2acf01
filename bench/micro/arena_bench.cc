// One arena: what a refill or a flush costs under its lock, and the sweep. The post between arenas
// is in cache_bench.cc, as it begins in a cache's outbox.

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "micro/quiet_heap.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;
using cma_bench::QuietHeap;
using cma_bench::TidyUp;

Arena& ArenaUnderTest() { return *QuietHeap().arenas.At(0); }

// Blocks on their way out of an arena and back, and how many they were: a depot or a slab may have
// fewer than are wanted.
class Batch {
 public:
  Batch(size_t bytes, int64_t blocks) : c_(ClassOf(bytes)), blocks_(static_cast<size_t>(blocks)) {}

  void TakeFrom(Arena& arena) {
    LockGuard guard(arena.lock());
    taken_ = arena.TakeBlocks(c_, blocks_.data(), blocks_.size());
    moved_ += taken_;
  }

  std::byte* const* blocks() const { return blocks_.data(); }
  size_t taken() const { return taken_; }
  size_t moved() const { return moved_; }
  SizeClass size_class() const { return c_; }

 private:
  const SizeClass c_;
  std::vector<std::byte*> blocks_;
  size_t taken_ = 0;
  size_t moved_ = 0;
};

// A refill, then a flush of the same batch: it waits in the depot. Per block, with the lock. With
// threads: all of them at one arena.
void BM_ArenaRefillThenFlush(State& state) {
  if (state.thread_index() == 0) TidyUp();
  Arena& arena = ArenaUnderTest();
  Batch batch(static_cast<size_t>(state.range(0)), state.range(1));
  for (auto _ : state) {
    batch.TakeFrom(arena);
    LockGuard guard(arena.lock());
    arena.GiveBatch(batch.size_class(), batch.blocks(), batch.taken());
  }
  state.SetItemsProcessed(static_cast<int64_t>(batch.moved()));
}
BENCHMARK(BM_ArenaRefillThenFlush)
    ->ArgNames({"bytes", "blocks"})
    ->Args({64, 3})
    ->Args({64, 32})
    ->Args({64, 127})
    ->Args({1024, 16})
    ->Args({4096, 8})
    ->Args({32 << 10, 2});
BENCHMARK(BM_ArenaRefillThenFlush)
    ->Name("BM_ArenaRefillThenFlushAmongThreads")
    ->ArgNames({"bytes", "blocks"})
    ->Args({64, 32})
    ->ThreadRange(2, 8)
    ->UseRealTime();

// The same past the depot: bitmaps for small blocks, boundary tags for medium ones.
void BM_ArenaTakeThenGive(State& state) {
  TidyUp();
  Arena& arena = ArenaUnderTest();
  Batch batch(static_cast<size_t>(state.range(0)), state.range(1));
  for (auto _ : state) {
    batch.TakeFrom(arena);
    LockGuard guard(arena.lock());
    arena.GiveBlocks(batch.blocks(), batch.taken());
  }
  state.SetItemsProcessed(static_cast<int64_t>(batch.moved()));
}
BENCHMARK(BM_ArenaTakeThenGive)
    ->ArgNames({"bytes", "blocks"})
    ->Args({64, 32})
    ->Args({64, 127})
    ->Args({1024, 16})
    ->Args({4096, 8})
    ->Args({32 << 10, 2});

// A class from nothing: slabs are made and unmade.
void BM_ArenaFirstSlabs(State& state) {
  TidyUp();
  Arena& arena = ArenaUnderTest();
  Batch batch(208, 4 * kUnitBytes / 208);
  for (auto _ : state) {
    batch.TakeFrom(arena);
    LockGuard guard(arena.lock());
    arena.GiveBlocks(batch.blocks(), batch.taken());
  }
  state.SetItemsProcessed(static_cast<int64_t>(batch.moved()));
}
BENCHMARK(BM_ArenaFirstSlabs);

// Large blocks go to the arena every time.
void BM_ArenaRunTakeThenGive(State& state) {
  Arena& arena = ArenaUnderTest();
  const auto bytes = static_cast<size_t>(state.range(0));
  const AddressMap& map = QuietHeap().central.map();
  for (auto _ : state) {
    std::byte* const block = arena.TakeRun(bytes, kMinAlignment, nullptr);
    DoNotOptimize(block);
    arena.GiveRun(UsedRunAt(map.FindSuperblock(AddressOf(block)), block));
  }
}
BENCHMARK(BM_ArenaRunTakeThenGive)->ArgName("bytes")->Arg(40 << 10)->Arg(256 << 10)->Arg(1 << 20);

// An arena whose holder is at work elsewhere, or not.
void BM_ArenaAcquireNear(State& state) {
  ArenaSet& arenas = QuietHeap().arenas;
  Arena* const home = arenas.At(static_cast<size_t>(state.thread_index()) % 2);
  for (auto _ : state) {
    Arena* const arena = arenas.AcquireNear(home);
    DoNotOptimize(arena->HasPost());
    arena->lock().Release();
  }
}
BENCHMARK(BM_ArenaAcquireNear)->ThreadRange(1, 8)->UseRealTime();

// Rounds that no releaser has: it begins at 1.
uint32_t round = 1u << 30;

// A round over superblocks with nothing to return, and with all of it.
void BM_ArenaSweepIdle(State& state) {
  Arena& arena = ArenaUnderTest();
  TidyUp();
  for (auto _ : state) {
    ++round;
    bool pending = false;
    while (arena.SweepStep(round, false, &pending)) {
    }
  }
}
BENCHMARK(BM_ArenaSweepIdle);

void BM_ArenaSweepAndTouch(State& state) {
  Arena& arena = ArenaUnderTest();
  const AddressMap& map = QuietHeap().central.map();
  for (auto _ : state) {
    std::byte* const block = arena.TakeRun(kLargeMax, kMinAlignment, nullptr);
    std::memset(block, 1, kLargeMax);
    arena.GiveRun(UsedRunAt(map.FindSuperblock(AddressOf(block)), block));
    ++round;
    bool pending = false;
    while (arena.SweepStep(round, true, &pending)) {
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kLargeMax));
}
BENCHMARK(BM_ArenaSweepAndTouch);

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
