// Superblocks, the way from an address to what lies there, cma's own memory, huge blocks.

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "micro/quiet_heap.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;
using cma_bench::QuietHeap;

size_t BytesOf(const State& state) { return static_cast<size_t>(state.range(0)); }

// An arena on the edge between two superblocks. With threads: all arenas are on that edge.
void BM_SuperblockTakeThenGive(State& state) {
  CentralHeap& central = QuietHeap().central;
  const Milliseconds now = central.os().now();
  for (auto _ : state) {
    Superblock* const superblock = central.TakeSuperblock();
    DoNotOptimize(superblock);
    central.GiveSuperblock(superblock, now);
  }
}
BENCHMARK(BM_SuperblockTakeThenGive)->ThreadRange(1, 8)->UseRealTime();

// A heap that grows by one superblock, with tables and its place in the maps, and shrinks to the
// last address.
void BM_SuperblockFromOsAndBack(State& state) {
  CentralHeap& central = QuietHeap().central;
  central.Unmap();
  const Milliseconds now = central.os().now();
  for (auto _ : state) {
    Superblock* const superblock = central.TakeSuperblock();
    DoNotOptimize(superblock);
    central.GiveSuperblock(superblock, now);
    central.Unmap();
  }
}
BENCHMARK(BM_SuperblockFromOsAndBack);

// A superblock, all of it used, whose memory goes back and is used again.
void BM_SuperblockReleaseThenTouch(State& state) {
  CentralHeap& central = QuietHeap().central;
  const Milliseconds now = central.os().now();
  for (auto _ : state) {
    Superblock* const superblock = central.TakeSuperblock();
    for (size_t page = 0; page < kSuperblockBytes / OsPageBytes(); ++page) {
      *const_cast<volatile std::byte*>(superblock->base + page * OsPageBytes()) = std::byte{1};
      superblock->touched.Set(page);
    }
    central.GiveSuperblock(superblock, now);
    central.Release(now, 0, 1);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kSuperblockBytes));
}
BENCHMARK(BM_SuperblockReleaseThenTouch);

// The one load on the hit path of free, for addresses all over the heap.
void BM_UnitOfAddress(State& state) {
  CentralHeap& central = QuietHeap().central;
  std::array<Superblock*, 8> superblocks;
  for (Superblock*& superblock : superblocks) superblock = central.TakeSuperblock();
  size_t turn = 0;
  for (auto _ : state) {
    const Superblock* const superblock = superblocks[turn % superblocks.size()];
    const uintptr_t address = AddressOf(superblock->base) + turn++ * kUnitBytes % kSuperblockBytes;
    DoNotOptimize(AddressMap::Unit(address));
  }
  for (Superblock* superblock : superblocks) central.GiveSuperblock(superblock, 0);
}
BENCHMARK(BM_UnitOfAddress);

// What frees of medium and large blocks do instead.
void BM_SuperblockOfAddress(State& state) {
  CentralHeap& central = QuietHeap().central;
  std::array<Superblock*, 8> superblocks;
  for (Superblock*& superblock : superblocks) superblock = central.TakeSuperblock();
  size_t turn = 0;
  for (auto _ : state) {
    const std::byte* const base = superblocks[turn++ % superblocks.size()]->base;
    DoNotOptimize(central.map().FindSuperblock(AddressOf(base) + 4096));
  }
  for (Superblock* superblock : superblocks) central.GiveSuperblock(superblock, 0);
}
BENCHMARK(BM_SuperblockOfAddress);

// Arrays of lists, parcels, descriptors.
void BM_MetadataTakeThenGive(State& state) {
  Metadata& metadata = QuietHeap().metadata;
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    void* const memory = metadata.Take(bytes);
    DoNotOptimize(memory);
    metadata.Give(memory, bytes);
  }
}
BENCHMARK(BM_MetadataTakeThenGive)->ArgName("bytes")->Arg(64)->Arg(2048)->Arg(8192);

// What another thread gives back, each time: the taking is timed.
void BM_MetadataTakeHereGiveElsewhere(State& state) {
  Metadata& metadata = QuietHeap().metadata;
  const size_t bytes = BytesOf(state);
  std::vector<void*> pieces(4000);
  std::atomic<int> turns_of_giver{0};  // odd: it is its turn
  std::atomic<bool> is_over{false};
  std::thread giver([&] {
    for (int turn = 1;; turn += 2) {
      while (turns_of_giver.load() != turn) std::this_thread::yield();
      if (is_over.load()) return;
      for (void* const piece : pieces) metadata.Give(piece, bytes);
      turns_of_giver.store(turn + 1);
    }
  });
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    for (void*& piece : pieces) piece = metadata.Take(bytes);
    const std::chrono::duration<double> taking = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(taking.count() / static_cast<double>(pieces.size()));
    const int turn = turns_of_giver.load() + 1;
    turns_of_giver.store(turn);
    while (turns_of_giver.load() == turn) std::this_thread::yield();
  }
  is_over.store(true);
  turns_of_giver.fetch_add(1);
  giver.join();
}
BENCHMARK(BM_MetadataTakeHereGiveElsewhere)
    ->ArgName("bytes")
    ->Arg(64)
    ->Arg(128)
    ->Arg(1024)
    ->Iterations(1000)
    ->UseManualTime();

// From the cache of huge blocks and back to it.
void BM_HugeTakeThenGive(State& state) {
  HugeBlocks& huge = QuietHeap().huge;
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    std::byte* const block = huge.Take(bytes, OsPageBytes(), HugeBlocks::Contents::kAny);
    DoNotOptimize(block);
    if (!huge.Give(block)) state.SkipWithError("the block is unknown");
  }
  huge.Release(0, 0, ~size_t{0});
}
BENCHMARK(BM_HugeTakeThenGive)
    ->ArgName("bytes")
    ->Arg(2 << 20)
    ->Arg(16 << 20)
    ->ThreadRange(1, 8)
    ->UseRealTime();

// The same with nothing in the cache: mapped and unmapped every time.
void BM_HugeFromOsAndBack(State& state) {
  HugeBlocks& huge = QuietHeap().huge;
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    std::byte* const block = huge.Take(bytes, OsPageBytes(), HugeBlocks::Contents::kAny);
    DoNotOptimize(block);
    if (!huge.Give(block)) state.SkipWithError("the block is unknown");
    huge.Release(0, 0, ~size_t{0});
  }
}
BENCHMARK(BM_HugeFromOsAndBack)->ArgName("bytes")->Arg(2 << 20)->Arg(16 << 20);

// A buffer that grows by a MiB at a time to 32 MiB.
void BM_HugeGrowth(State& state) {
  constexpr size_t kSteps = 30;
  HugeBlocks& huge = QuietHeap().huge;
  for (auto _ : state) {
    std::byte* block = huge.Take(2 * kMiB, OsPageBytes(), HugeBlocks::Contents::kAny);
    for (size_t i = 0; i < kSteps; ++i) {
      std::byte* const grown = huge.Resize(block, (i + 3) * kMiB);
      if (grown == nullptr) state.SkipWithError("it did not grow");
      if (grown != nullptr) block = grown;
    }
    if (!huge.Give(block)) state.SkipWithError("the block is unknown");
    huge.Release(0, 0, ~size_t{0});
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kSteps));
}
BENCHMARK(BM_HugeGrowth);

// Frees among many live huge blocks: the table is looked up for each.
void BM_HugeFindAmongMany(State& state) {
  HugeBlocks& huge = QuietHeap().huge;
  std::vector<std::byte*> blocks(static_cast<size_t>(state.range(0)));
  for (std::byte*& block : blocks) {
    block = huge.Take(2 * kMiB, OsPageBytes(), HugeBlocks::Contents::kAny);
  }
  size_t turn = 0;
  for (auto _ : state) DoNotOptimize(huge.BytesOf(blocks[turn++ % blocks.size()]));
  for (std::byte* block : blocks) DoNotOptimize(huge.Give(block));
  huge.Release(0, 0, ~size_t{0});
}
BENCHMARK(BM_HugeFindAmongMany)->ArgName("blocks")->Arg(10)->Arg(1000);

// Replaces one of many huge blocks of random lengths by another: what is free lies in many pieces.
void BM_HugeReplaceAmongMany(State& state) {
  HugeBlocks& huge = QuietHeap().huge;
  std::minstd_rand random;
  const auto take = [&] {
    const size_t bytes = (1 + random() % 512) * OsPageBytes() + kMiB;
    return huge.Take(bytes, OsPageBytes(), HugeBlocks::Contents::kAny);
  };
  std::vector<std::byte*> blocks(static_cast<size_t>(state.range(0)));
  for (std::byte*& block : blocks) block = take();
  for (auto _ : state) {
    std::byte*& block = blocks[random() % blocks.size()];
    DoNotOptimize(huge.Give(block));
    block = take();
  }
  for (std::byte* block : blocks) DoNotOptimize(huge.Give(block));
  huge.Release(0, 0, ~size_t{0});
}
BENCHMARK(BM_HugeReplaceAmongMany)->ArgName("blocks")->Arg(100)->Arg(8000);

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
