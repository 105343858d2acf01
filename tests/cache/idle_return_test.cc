// A program that frees and then does nothing at all: its memory returns by itself.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <chrono>
#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/thread_cache.h"
#include "support/deadline.h"
#include "support/one_cpu.h"

namespace cma {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Before the first allocation.
const bool g_prepared =
    cma_test::StayOnThisCpu() &&
    setenv("CMA_OPTIONS", "arenas=4,release_delay_ms=20,background_start_mib=0", 1) == 0;

constexpr size_t kBlocks = 16'000;
constexpr size_t kBytes = 1024;

class IdleReturnTest : public testing::Test {
 protected:
  IdleReturnTest() {
    EXPECT_TRUE(g_prepared);
    cma_free(cma_malloc(100 * kKiB));  // starts the thread that returns memory
    EXPECT_TRUE(g_heap.releaser.has_thread());
  }

  // Gives that thread the time to find nothing to do and to sleep. The tests are right without,
  // but only then do they see whether somebody wakes it.
  static void LetItSleep() { std::this_thread::sleep_for(milliseconds(150)); }

  static size_t ReturnedBytes() {
    cma_stats stats;
    cma_get_stats(&stats);
    return stats.returned_bytes;
  }

  // Nothing but reading a figure happens meanwhile.
  static bool ReturnsBySelf(size_t bytes, size_t before) {
    return cma_test::WaitUntil([=] { return ReturnedBytes() >= before + bytes; }, seconds(10));
  }
};

TEST_F(IdleReturnTest, WhatTheThreadItselfHadAllocated) {
  std::vector<void*> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(memset(cma_malloc(kBytes), 1, kBytes));
  LetItSleep();
  const size_t before = ReturnedBytes();

  for (void* block : blocks) cma_free(block);

  EXPECT_TRUE(ReturnsBySelf(kBlocks * kBytes * 15 / 16, before));
}

// A consumer frees what a producer on another CPU has allocated, and then both do nothing more.
TEST_F(IdleReturnTest, WhatAThreadOfAnotherArenaHadAllocated) {
  Arena* const other = g_heap.arenas.At(static_cast<size_t>(t_cache->arena->id()) + 1);
  std::vector<void*> blocks(kBlocks);
  {
    LockGuard guard(other->lock());
    for (size_t n = 0; n < kBlocks;) {
      n += other->TakeBlocks(ClassOf(kBytes), reinterpret_cast<std::byte**>(blocks.data() + n),
                             kBlocks - n);
    }
  }
  for (void* block : blocks) {
    memset(block, 1, kBytes);
    KeyOf(AddressOf(block)) = 0;
  }
  LetItSleep();
  const size_t before = ReturnedBytes();

  for (void* block : blocks) cma_free(block);

  EXPECT_TRUE(ReturnsBySelf(kBlocks * kBytes * 15 / 16, before));
}

TEST_F(IdleReturnTest, LargeAndHugeBlocks) {
  void* const large = memset(cma_malloc(kLargeMax), 1, kLargeMax);
  void* const huge = memset(cma_malloc(8 * kMiB), 1, 8 * kMiB);
  LetItSleep();
  const size_t before = ReturnedBytes();

  cma_free(large);
  cma_free(huge);

  EXPECT_TRUE(ReturnsBySelf(8 * kMiB + kLargeMax, before));
}

TEST_F(IdleReturnTest, WhatAThreadHadThatEnded) {
  LetItSleep();
  const size_t before = ReturnedBytes();

  std::thread([] {
    std::vector<void*> blocks;
    for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(memset(cma_malloc(kBytes), 1, kBytes));
    for (void* block : blocks) cma_free(block);
  }).join();

  EXPECT_TRUE(ReturnsBySelf(kBlocks * kBytes * 15 / 16, before));
}

// cma's own thread empties the cache that the last one has left: nobody sees a part of it twice, or
// live.
TEST_F(IdleReturnTest, FiguresStayExactMeanwhile) {
  for (int round = 0; round < 20; ++round) {
    cma_stats stats;
    cma_get_stats(&stats);
    const size_t live = stats.live_bytes;
    const size_t cached = stats.thread_cached_bytes;
    std::thread([] {
      std::vector<void*> blocks;
      for (size_t i = 0; i < 2000; ++i) blocks.push_back(cma_malloc(16 + i % 1000));
      for (void* block : blocks) cma_free(block);
    }).join();
    size_t changes = 0;

    EXPECT_TRUE(cma_test::WaitUntil(
        [&] {
          cma_get_stats(&stats);
          changes += stats.live_bytes != live ? 1 : 0;
          return stats.thread_cached_bytes <= cached;
        },
        seconds(10)));

    EXPECT_EQ(changes, 0u);
  }
}

}  // namespace
}  // namespace cma
