// Sizes that drift from phase to phase, with survivors here and there: what an arena answers by
// letting other sizes into the holes of its slabs (arena/arena_mix.cc). Survivors lie in slots that
// all threads share, so they are freed, moved, verified and asked for their size by any thread while
// the slabs around them are converted.
//
//   drifting_sizes_stress [--threads N] [--seconds N] [--seed N] [--kib N]
//
// Without --threads: 1, 3 and 8 threads in turn.
//
// cma-test: api plain timeout=300
#include <errno.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "stress/program.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

constexpr size_t kSlots = 1 << 15;
constexpr size_t kMostBytes = 20 * kKiB;  // beyond what slabs hold

// Few threads have arenas of their own where there are few CPUs. Before the first allocation by the
// prefixed names.
const bool g_prepared = setenv("CMA_OPTIONS", "arenas=3", 0) == 0;

// Address and size in one word: whoever takes it out of a slot has the block. 0: none.
using Held = uint64_t;
constexpr unsigned kAddressBits = 48;

Held Hold(void* block, size_t size) {
  return reinterpret_cast<uintptr_t>(block) | uint64_t{size} << kAddressBits;
}
void* BlockOf(Held held) {
  return reinterpret_cast<void*>(held & ((uint64_t{1} << kAddressBits) - 1));
}
size_t SizeOf(Held held) { return held >> kAddressBits; }

std::atomic<Held> g_slots[kSlots];
std::atomic<uint64_t> g_operations{0};

void Verify(Held held, size_t bytes, uint64_t key, const char* when) {
  const size_t damage = FindDamage(BlockOf(held), bytes, key);
  if (damage != kIntact) {
    Fail("%s: block %p of %zu bytes is damaged at byte %zu", when, BlockOf(held), SizeOf(held),
         damage);
  }
}

Held Take(size_t size) {
  void* const block = malloc(size);
  if (block == nullptr) Fail("no block of %zu bytes: errno %d", size, errno);
  if (reinterpret_cast<uintptr_t>(block) % 16 != 0) Fail("block %p is not aligned", block);
  FillPattern(block, size, KeyOfAddress(block));
  return Hold(block, size);
}

void Give(Held held) {
  if (held == 0) return;
  Verify(held, SizeOf(held), KeyOfAddress(BlockOf(held)), "free");
  free(BlockOf(held));
}

Held Resize(Held held, size_t size) {
  const uint64_t key = KeyOfAddress(BlockOf(held));
  const size_t kept = std::min(SizeOf(held), size) / 8 * 8;
  void* const block = realloc(BlockOf(held), size);
  if (block == nullptr) Fail("no realloc to %zu bytes: errno %d", size, errno);
  Verify(Hold(block, size), kept, key, "after realloc");
  FillPattern(block, size, KeyOfAddress(block));
  return Hold(block, size);
}

void Ask(Held held) {
  const size_t usable = malloc_usable_size(BlockOf(held));
  if (usable < SizeOf(held)) Fail("%zu bytes asked for, %zu usable", SizeOf(held), usable);
  if (usable > SizeOf(held) * 2 + 1024) Fail("%zu asked for, %zu usable", SizeOf(held), usable);
}

// A survivor of any thread's: looked at, moved, or freed.
void VisitSlot(Random& random) {
  std::atomic<Held>& slot = g_slots[random.Below(kSlots)];
  Held held = slot.exchange(0, std::memory_order_acq_rel);
  if (held == 0) return;
  Ask(held);
  if (random.OneIn(4)) held = Resize(held, 1 + random.Below(SizeOf(held) * 2 % kMostBytes + 1));
  Verify(held, SizeOf(held), KeyOfAddress(BlockOf(held)), "visit");
  if (!random.OneIn(8)) held = slot.exchange(held, std::memory_order_acq_rel);
  Give(held);
}

size_t RandomSize(Random& random) {
  const uint64_t kind = random.Below(10);
  if (kind == 0) return 1 + random.Below(kMostBytes);
  if (kind < 4) return 1 + random.Below(2 * kKiB);
  return 1 + random.Below(300);
}

// One size, of which a few survive; then the next.
void Phase(Random& random, size_t bytes, std::vector<Held>& blocks) {
  const size_t size = RandomSize(random);
  const uint64_t survivors = random.OneIn(3) ? 64 : 16;
  blocks.clear();
  for (size_t taken = 0; taken < bytes; taken += size) {
    blocks.push_back(Take(size));
    if (random.OneIn(16)) VisitSlot(random);
  }
  if (random.OneIn(2)) {
    for (size_t i = blocks.size(); i > 1; --i) std::swap(blocks[i - 1], blocks[random.Below(i)]);
  }
  for (Held block : blocks) {
    if (random.OneIn(survivors) || random.OneIn(64)) {
      block = g_slots[random.Below(kSlots)].exchange(block, std::memory_order_acq_rel);
    }
    Give(block);
  }
  g_operations += blocks.size();
  if (random.OneIn(100)) malloc_trim(0);
}

void Work(size_t thread, uint64_t seed, size_t bytes,
          std::chrono::steady_clock::time_point deadline) {
  Random random(seed * 1000 + thread);
  std::vector<Held> blocks;
  while (std::chrono::steady_clock::now() < deadline) Phase(random, bytes, blocks);
}

size_t LiveBytes() {
#if defined(CMA_TEST_PREFIXED)
  cma_stats stats;
  cma_get_stats(&stats);
  return stats.live_bytes;
#else
  return 0;
#endif
}

void Run(size_t threads, uint64_t seconds, uint64_t seed, size_t bytes) {
  free(malloc(1));
  const size_t live_before = LiveBytes();
  g_operations = 0;
  for (uint64_t generation = 0; generation < 2; ++generation) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(seconds * 1000 / 2);
    std::vector<std::thread> workers;
    for (size_t i = 0; i < threads; ++i) {
      workers.emplace_back(Work, i, seed * 2 + generation, bytes, deadline);
    }
    for (std::thread& worker : workers) worker.join();
  }
  for (std::atomic<Held>& slot : g_slots) Give(slot.exchange(0));
  if (LiveBytes() != live_before) {
    Fail("%zu live bytes after everything was freed, %zu before", LiveBytes(), live_before);
  }
  printf("%zu threads, seed %llu: %llu operations\n", threads,
         static_cast<unsigned long long>(seed),
         static_cast<unsigned long long>(g_operations.load()));
}

}  // namespace

int main(int argc, char** argv) {
  NameTheAllocator();
  const uint64_t seconds = Argument(argc, argv, "seconds", 5);
  const uint64_t seed = Argument(argc, argv, "seed", 1);
  const uint64_t threads = Argument(argc, argv, "threads", 0);
  const size_t bytes = Argument(argc, argv, "kib", 16 * kKiB) * kKiB;
  if (threads != 0) {
    Run(std::min<size_t>(threads, 1024), seconds, seed, bytes);
  } else {
    for (const size_t count : {1, 3, 8}) Run(count, seconds, seed, bytes);
  }
}
