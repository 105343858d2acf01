// What the operating system charges: everything above this layer is there to ask it less often.

#include <benchmark/benchmark.h>

#include "base/constants.h"
#include "os/os_cpu.h"
#include "os/os_memory.h"

namespace cma {
namespace {

using benchmark::DoNotOptimize;
using benchmark::State;

size_t BytesOf(const State& state) { return static_cast<size_t>(state.range(0)); }

void TouchPages(std::byte* start, size_t bytes) {
  for (size_t at = 0; at < bytes; at += OsPageBytes()) {
    *const_cast<volatile std::byte*>(start + at) = std::byte{1};
  }
}

// Followed at every miss of a cache.
void BM_CurrentCpu(State& state) {
  for (auto _ : state) DoNotOptimize(OsCurrentCpu());
}
BENCHMARK(BM_CurrentCpu);

// Read wherever memory is put away to age.
void BM_Clock(State& state) {
  for (auto _ : state) DoNotOptimize(kLinuxOs.now());
}
BENCHMARK(BM_Clock);

// Address space alone.
void BM_MapThenUnmap(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    std::byte* const memory = kLinuxOs.map(bytes);
    DoNotOptimize(memory);
    if (!kLinuxOs.unmap(memory, bytes)) state.SkipWithError("munmap refused");
  }
}
BENCHMARK(BM_MapThenUnmap)->ArgName("bytes")->Arg(64 << 10)->Arg(kSuperblockBytes);

// A new superblock: over-mapped where it comes out unaligned, and trimmed.
void BM_MapAlignedThenUnmap(State& state) {
  for (auto _ : state) {
    std::byte* const memory = MapAligned(kLinuxOs, kSuperblockBytes, kSuperblockBytes);
    DoNotOptimize(memory);
    if (!kLinuxOs.unmap(memory, kSuperblockBytes)) state.SkipWithError("munmap refused");
  }
}
BENCHMARK(BM_MapAlignedThenUnmap);

// With the page faults: the price of not keeping a freed block. Bytes are those touched.
void BM_MapTouchUnmap(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    std::byte* const memory = kLinuxOs.map(bytes);
    TouchPages(memory, bytes);
    if (!kLinuxOs.unmap(memory, bytes)) state.SkipWithError("munmap refused");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
}
BENCHMARK(BM_MapTouchUnmap)->ArgName("bytes")->Arg(64 << 10)->Arg(1 << 20)->Arg(16 << 20);

// One range given back and used again: the price of giving idle pages back too early.
void BM_DecommitThenTouch(State& state) {
  const size_t bytes = BytesOf(state);
  std::byte* const memory = kLinuxOs.map(bytes);
  TouchPages(memory, bytes);
  for (auto _ : state) {
    if (!kLinuxOs.decommit(memory, bytes, false)) state.SkipWithError("madvise refused");
    TouchPages(memory, bytes);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
  DoNotOptimize(kLinuxOs.unmap(memory, bytes));
}
BENCHMARK(BM_DecommitThenTouch)->ArgName("bytes")->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

// The call alone, on a range that holds nothing any more.
void BM_DecommitNothing(State& state) {
  std::byte* const memory = kLinuxOs.map(kUnitBytes);
  for (auto _ : state) {
    if (!kLinuxOs.decommit(memory, kUnitBytes, false)) state.SkipWithError("madvise refused");
  }
  DoNotOptimize(kLinuxOs.unmap(memory, kUnitBytes));
}
BENCHMARK(BM_DecommitNothing);

}  // namespace
}  // namespace cma

BENCHMARK_MAIN();
