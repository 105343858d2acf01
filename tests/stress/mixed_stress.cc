// The whole family at random, 0 bytes to 16 MiB, mostly small. Every block is filled with a
// pattern that follows from its address, which is verified when the block is freed or moved; any
// thread may free or move any block, and blocks outlive the threads that made them.
//
//   mixed_stress [--threads N] [--seconds N] [--seed N]
//
// Without --threads: 1, 2 and 16 threads in turn.
//
// cma-test: api plain timeout=300
#include <errno.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "stress/program.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

constexpr size_t kSlots = 16384;
constexpr size_t kWholeMax = 64 * kKiB;  // larger blocks are marked here and there only
constexpr size_t kMark = 64;
constexpr size_t kGenerations = 4;

struct Slot {
  std::atomic<bool> busy{false};
  void* block = nullptr;
  size_t size = 0;       // what was asked for
  size_t marked = 0;     // bytes that are marked: size, or all that is usable
  size_t alignment = 0;  // 0: by a function without one
};

Slot g_slots[kSlots];
std::atomic<uint64_t> g_operations{0};

// --- marks -------------------------------------------------------------------------------------

size_t MarkStep(size_t bytes) { return bytes <= kWholeMax ? kMark : 61 * kMark; }

void MarkBlock(void* block, size_t bytes) {
  auto* at = static_cast<char*>(block);
  for (size_t i = 0; i < bytes; i += MarkStep(bytes)) {
    FillPattern(at + i, std::min(kMark, bytes - i), KeyOfAddress(at + i));
  }
  if (bytes > kWholeMax) FillPattern(at + bytes - kMark, kMark, ~KeyOfAddress(at));
}

// Verifies the marks that a block of `bytes` at `home` got, as far as the first `kept` bytes.
void VerifyMarks(const void* block, size_t bytes, size_t kept, const void* home, const char* when) {
  const auto* at = static_cast<const char*>(block);
  const auto* was = static_cast<const char*>(home);
  const bool whole = kept == bytes;
  const size_t sparse_tail = bytes > kWholeMax ? kMark : 0;
  const size_t end = whole ? bytes - sparse_tail : std::min(kept, bytes - sparse_tail);
  for (size_t i = 0; i < end; i += MarkStep(bytes)) {
    size_t length = std::min(kMark, bytes - i);
    if (i + length > end) length = (end - i) / 8 * 8;
    const size_t damage = FindDamage(at + i, length, KeyOfAddress(was + i));
    if (damage != kIntact) {
      Fail("%s: block %p of %zu bytes is damaged at byte %zu", when, block, bytes, i + damage);
    }
  }
  if (whole && sparse_tail != 0 &&
      FindDamage(at + bytes - kMark, kMark, ~KeyOfAddress(was)) != kIntact) {
    Fail("%s: block %p of %zu bytes is damaged at its end", when, block, bytes);
  }
}

// --- operations --------------------------------------------------------------------------------

size_t RandomSize(Random& random) {
  const uint64_t kind = random.Below(2000);
  if (kind == 0) return random.Below(16 * kMiB + 1);
  if (kind < 20) return random.Below(kMiB);
  if (kind < 200) return random.Below(64 * kKiB);
  if (kind < 600) return random.Below(4 * kKiB);
  if (kind < 620) return 0;
  return random.Below(257);
}

void* AllocateAligned(Random& random, size_t& alignment, size_t size) {
  alignment = size_t{16} << random.Below(random.OneIn(50) ? 18 : 9);
  switch (random.Below(5)) {
    case 0:
      return memalign(alignment, size);
    case 1: {
      void* block = nullptr;
      return posix_memalign(&block, alignment, size) == 0 ? block : nullptr;
    }
    case 2:
      alignment = 4096;
      return valloc(size);
    case 3:
      alignment = 4096;
      return pvalloc(size);
    default:
      return aligned_alloc(alignment, size);
  }
}

void Fill(Slot& slot, Random& random) {
  slot.size = RandomSize(random);
  slot.alignment = 0;
  const uint64_t kind = random.Below(16);
  if (kind < 8) {
    slot.block = malloc(slot.size);
  } else if (kind < 11) {
    slot.block = random.OneIn(2) ? calloc(slot.size, 1) : calloc(1, slot.size);
    if (slot.block != nullptr && !IsZero(slot.block, slot.size)) {
      Fail("calloc gave a block of %zu bytes that are not all zero", slot.size);
    }
  } else if (kind < 13) {
    slot.block = realloc(nullptr, slot.size);
  } else if (kind < 14) {
    slot.block = reallocarray(nullptr, slot.size, 1);
  } else {
    slot.block = AllocateAligned(random, slot.alignment, slot.size);
  }
  if (slot.block == nullptr) Fail("no block of %zu bytes: errno %d", slot.size, errno);
  if (reinterpret_cast<uintptr_t>(slot.block) % std::max<size_t>(slot.alignment, 16) != 0) {
    Fail("block %p is not aligned to %zu", slot.block, slot.alignment);
  }
  const size_t usable = malloc_usable_size(slot.block);
  if (usable < slot.size) Fail("%zu bytes asked for, %zu usable", slot.size, usable);
  slot.marked = random.OneIn(8) ? usable : slot.size;
  MarkBlock(slot.block, slot.marked);
}

void Free(Slot& slot, Random& random) {
  VerifyMarks(slot.block, slot.marked, slot.marked, slot.block, "free");
  const uint64_t kind = random.Below(8);
  const bool cma = kPrefixed || free_sized != nullptr;
  if (kind == 0 && slot.size != 0) {
    if (realloc(slot.block, 0) != nullptr) Fail("realloc(block, 0) gave a block");
  } else if (kind == 1 && cma && slot.alignment == 0) {
    free_sized(slot.block, slot.size);
  } else if (kind == 2 && cma && slot.alignment != 0) {
    free_aligned_sized(slot.block, slot.alignment, slot.size);
  } else {
    errno = ERANGE;
    free(slot.block);
    if (errno != ERANGE) Fail("free changed errno to %d", errno);
  }
  slot.block = nullptr;
}

void Resize(Slot& slot, Random& random) {
  const size_t size =
      1 + (random.OneIn(3) ? RandomSize(random) : slot.size / 2 + random.Below(slot.size + 64));
  VerifyMarks(slot.block, slot.marked, slot.marked, slot.block, "before realloc");
  const void* const home = slot.block;
  void* const block =
      random.OneIn(4) ? reallocarray(slot.block, size, 1) : realloc(slot.block, size);
  if (block == nullptr) Fail("no realloc to %zu bytes: errno %d", size, errno);
  VerifyMarks(block, slot.marked, std::min(slot.marked, size), home, "after realloc");
  slot.block = block;
  slot.size = slot.marked = size;
  slot.alignment = 0;
  MarkBlock(block, size);
}

// Threads mostly stay in their own part of the slots, but not always.
Slot* TakeSlot(Random& random, size_t thread, size_t threads) {
  const size_t part = kSlots / threads;
  const size_t index = random.OneIn(4) ? random.Below(kSlots) : thread * part + random.Below(part);
  Slot& slot = g_slots[index];
  return slot.busy.exchange(true, std::memory_order_acquire) ? nullptr : &slot;
}

void Work(size_t thread, size_t threads, uint64_t seed,
          std::chrono::steady_clock::time_point deadline) {
  Random random(seed * 1000 + thread);
  uint64_t operations = 0;
  while (operations % 64 != 0 || std::chrono::steady_clock::now() < deadline) {
    ++operations;
    Slot* const slot = TakeSlot(random, thread, threads);
    if (slot == nullptr) continue;
    if (slot->block == nullptr) {
      Fill(*slot, random);
    } else if (random.OneIn(3)) {
      Resize(*slot, random);
    } else {
      Free(*slot, random);
    }
    slot->busy.store(false, std::memory_order_release);
    if (random.OneIn(200000)) malloc_trim(0);
  }
  g_operations += operations;
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

void Run(size_t threads, uint64_t seconds, uint64_t seed) {
  free(malloc(1));
  const size_t live_before = LiveBytes();
  g_operations = 0;
  for (size_t generation = 0; generation < kGenerations; ++generation) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(seconds * 1000 / kGenerations);
    std::vector<std::thread> workers;
    for (size_t i = 0; i < threads; ++i) {
      workers.emplace_back(Work, i, threads, seed * kGenerations + generation, deadline);
    }
    for (std::thread& worker : workers) worker.join();
  }
  Random random(seed);
  for (Slot& slot : g_slots) {
    if (slot.block != nullptr) Free(slot, random);
  }
  if (LiveBytes() != live_before) {
    Fail("%zu live bytes after everything was freed, %zu before", LiveBytes(), live_before);
  }
  printf("%zu threads, seed %llu: %llu operations\n", threads,
         static_cast<unsigned long long>(seed),
         static_cast<unsigned long long>(g_operations.load()));
  fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  NameTheAllocator();
  const uint64_t seconds = Argument(argc, argv, "seconds", 5);
  const uint64_t seed = Argument(argc, argv, "seed", 1);
  const uint64_t threads = Argument(argc, argv, "threads", 0);
  if (threads != 0) {
    Run(std::min<size_t>(threads, 1024), seconds, seed);
  } else {
    for (const size_t count : {1, 2, 16}) Run(count, seconds, seed);
  }
}
