// The malloc family as a program meets it, one benchmark per habit. Plain malloc: preload any
// allocator, e.g.  LD_PRELOAD=build/release/libcma.so build/release/bench/api_bench

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace {

using benchmark::DoNotOptimize;
using benchmark::State;

size_t BytesOf(const State& state) { return static_cast<size_t>(state.range(0)); }

void CountItems(State& state, int64_t per_iteration) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * per_iteration);
}

// A block that lives for a moment.
void BM_MallocThenFree(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    void* block = std::malloc(bytes);
    DoNotOptimize(block);
    std::free(block);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_MallocThenFree)
    ->ArgName("bytes")
    ->Arg(8)
    ->Arg(16)
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Arg(4096)
    ->Arg(16 << 10)
    ->Arg(64 << 10)
    ->Arg(256 << 10)
    ->Arg(1 << 20)
    ->Arg(16 << 20);
BENCHMARK(BM_MallocThenFree)
    ->Name("BM_MallocThenFreeOnManyThreads")
    ->ArgName("bytes")
    ->Arg(64)
    ->ThreadRange(2, 8)
    ->UseRealTime();

// A container is filled, then emptied: more blocks than a thread's cache keeps.
void BM_FillThenEmpty(State& state) {
  const size_t bytes = BytesOf(state);
  std::vector<void*> blocks(static_cast<size_t>(state.range(1)));
  for (auto _ : state) {
    for (void*& block : blocks) block = std::malloc(bytes);
    benchmark::ClobberMemory();
    for (void* block : blocks) std::free(block);
  }
  CountItems(state, state.range(1));
}
BENCHMARK(BM_FillThenEmpty)
    ->ArgNames({"bytes", "blocks"})
    ->Args({16, 100})
    ->Args({64, 100})
    ->Args({64, 10'000})
    ->Args({1024, 100})
    ->Args({1024, 10'000})
    ->Args({32 << 10, 100});

void BM_CallocThenFree(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    void* block = std::calloc(1, bytes);
    DoNotOptimize(block);
    std::free(block);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_CallocThenFree)
    ->ArgName("bytes")
    ->Arg(64)
    ->Arg(1024)
    ->Arg(16 << 10)
    ->Arg(256 << 10)
    ->Arg(4 << 20);

// A string or vector grows by half until it has `bytes`.
void BM_ReallocGrowth(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    size_t size = 16;
    void* buffer = std::malloc(size);
    while (size < bytes) {
      size += size / 2;
      buffer = std::realloc(buffer, size);
      DoNotOptimize(buffer);
    }
    std::free(buffer);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_ReallocGrowth)
    ->ArgName("bytes")
    ->Arg(1024)
    ->Arg(64 << 10)
    ->Arg(1 << 20)
    ->Arg(64 << 20);

// A log line grows byte by byte.
void BM_ReallocByAFewBytes(State& state) {
  const size_t bytes = BytesOf(state);
  int64_t steps = 0;
  for (auto _ : state) {
    void* buffer = nullptr;
    for (size_t size = 8; size <= bytes; size += 8, ++steps) {
      buffer = std::realloc(buffer, size);
      DoNotOptimize(buffer);
    }
    std::free(buffer);
  }
  state.SetItemsProcessed(steps);
}
BENCHMARK(BM_ReallocByAFewBytes)->ArgName("bytes")->Arg(1024)->Arg(64 << 10);

void BM_AlignedAllocThenFree(State& state) {
  const size_t bytes = BytesOf(state);
  const auto alignment = static_cast<size_t>(state.range(1));
  for (auto _ : state) {
    void* block = std::aligned_alloc(alignment, bytes);
    DoNotOptimize(block);
    std::free(block);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_AlignedAllocThenFree)
    ->ArgNames({"bytes", "alignment"})
    ->Args({64, 64})
    ->Args({256, 64})
    ->Args({4096, 4096})
    ->Args({64 << 10, 4096});

void BM_NewThenDelete(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    void* block = ::operator new(bytes);
    DoNotOptimize(block);
    ::operator delete(block);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_NewThenDelete)->ArgName("bytes")->Arg(64)->Arg(1024);

// What most C++ code does since C++14.
void BM_NewThenSizedDelete(State& state) {
  const size_t bytes = BytesOf(state);
  for (auto _ : state) {
    void* block = ::operator new(bytes);
    DoNotOptimize(block);
    ::operator delete(block, bytes);
  }
  CountItems(state, 1);
}
BENCHMARK(BM_NewThenSizedDelete)->ArgName("bytes")->Arg(64)->Arg(1024);

// A thread that frees batches of blocks as they come.
class Undertaker {
 public:
  Undertaker() : thread_([this] { Run(); }) {}
  Undertaker(const Undertaker&) = delete;
  Undertaker& operator=(const Undertaker&) = delete;
  ~Undertaker() {
    Hand(&stop_);
    thread_.join();
  }

  // Waits until the batch before is done.
  void Hand(std::vector<void*>* batch) {
    std::vector<void*>* empty = nullptr;
    while (!next_.compare_exchange_weak(empty, batch, std::memory_order_release)) {
      next_.wait(empty, std::memory_order_relaxed);
      empty = nullptr;
    }
    next_.notify_one();
  }

 private:
  void Run() {
    for (;;) {
      next_.wait(nullptr, std::memory_order_relaxed);
      std::vector<void*>* batch = next_.load(std::memory_order_acquire);
      if (batch == &stop_) return;
      for (void* block : *batch) std::free(block);
      next_.store(nullptr, std::memory_order_release);
      next_.notify_one();
    }
  }

  std::vector<void*> stop_;
  std::atomic<std::vector<void*>*> next_{nullptr};
  std::thread thread_;  // last: it uses the others
};

// One thread allocates, its neighbour frees: blocks must find their way home.
void BM_FreeOnOtherThread(State& state) {
  constexpr size_t kBatch = 1000;
  const size_t bytes = BytesOf(state);
  std::vector<void*> batches[2] = {std::vector<void*>(kBatch), std::vector<void*>(kBatch)};
  {
    Undertaker undertaker;
    size_t turn = 0;
    for (auto _ : state) {
      std::vector<void*>& batch = batches[turn++ % 2];
      for (void*& block : batch) block = std::malloc(bytes);
      undertaker.Hand(&batch);
    }
  }
  CountItems(state, kBatch);
}
BENCHMARK(BM_FreeOnOtherThread)->ArgName("bytes")->Arg(64)->Arg(1024)->Arg(16 << 10)->UseRealTime();

// A thread per request: start, first allocations, end.
void BM_ThreadStartFirstMallocExit(State& state) {
  const auto blocks = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    std::thread thread([blocks] {
      for (size_t i = 0; i < blocks; ++i) {
        void* block = std::malloc(16 + i % 64 * 16);
        DoNotOptimize(block);
        std::free(block);
      }
    });
    thread.join();
  }
  CountItems(state, 1);
}
BENCHMARK(BM_ThreadStartFirstMallocExit)
    ->ArgName("blocks")
    ->Arg(0)
    ->Arg(1)
    ->Arg(1000)
    ->UseRealTime();

// Some programs call it after every few operations.
void BM_TrimNowAndThen(State& state) {
  constexpr size_t kBlocks = 1024;
  constexpr size_t kBlockBytes = 40 * 1024;
  std::vector<void*> blocks(kBlocks);
  for (void*& block : blocks) block = std::malloc(kBlockBytes);
  size_t next = 0;
  for (auto _ : state) {
    void*& block = blocks[next++ % kBlocks];
    std::free(block);
    block = std::malloc(kBlockBytes);
    DoNotOptimize(malloc_trim(0));
  }
  for (void* block : blocks) std::free(block);
  CountItems(state, 1);
}
BENCHMARK(BM_TrimNowAndThen);

}  // namespace

BENCHMARK_MAIN();
