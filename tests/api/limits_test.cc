// soft_limit and hard_limit as a program sees them.
#include <errno.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"

namespace {

using cma_test::kKiB;
using cma_test::kMiB;

cma_stats Stats() {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats;
}

void Set(const char* name, size_t bytes) {
  ASSERT_EQ(cma_option_set(name, std::to_string(bytes).c_str()), 0) << name << " " << bytes;
}

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() {
    // What is freed stays until it is asked for.
    EXPECT_EQ(cma_option_set("release_delay_ms", "1h"), 0);
    cma_malloc_trim(0);
  }
  ~LimitsTest() override {
    Set("hard_limit", 0);
    Set("soft_limit", 0);
    FreeAll();
    cma_malloc_trim(0);
  }

  // Allocates until the limit refuses; the number of blocks.
  size_t Fill(size_t size) {
    const size_t before = blocks_.size();
    for (;;) {
      errno = 0;
      void* const block = cma_malloc(size);
      if (block == nullptr) break;
      memset(block, 1, size < 64 ? size : 64);
      blocks_.push_back(block);
    }
    EXPECT_EQ(errno, ENOMEM);
    return blocks_.size() - before;
  }
  void FreeAll() {
    for (void* block : blocks_) cma_free(block);
    blocks_.clear();
  }

  std::vector<void*> blocks_;
};

TEST_F(LimitsTest, TheHardLimitHoldsForHeapsToo) {
  for (const size_t size : {100ul, 20'000ul, 100'000ul, 3'000'000ul}) {
    cma_heap* const heap = cma_heap_create("limited", 0);
    const size_t limit = Stats().committed_bytes + 32 * kMiB;
    Set("hard_limit", limit);

    size_t bytes = 0;
    errno = 0;
    while (cma_heap_malloc(heap, size) != nullptr) bytes += size;

    EXPECT_EQ(errno, ENOMEM);
    EXPECT_GE(bytes, 20 * kMiB) << size;
    EXPECT_LE(Stats().committed_bytes, limit) << size;
    Set("hard_limit", 0);
    cma_heap_destroy(heap);
    cma_malloc_trim(0);
  }
}

TEST_F(LimitsTest, BeyondTheHardLimitAllocationsFailWithENOMEM) {
  for (const size_t size : {100ul, 3000ul, 100'000ul, 3'000'000ul}) {
    const size_t limit = Stats().committed_bytes + 64 * kMiB;
    blocks_.reserve(64 * kMiB / size + 1000);
    Set("hard_limit", limit);

    const size_t count = Fill(size);

    EXPECT_GE(count * size, 40 * kMiB) << size << ": much less than the limit allows";
    EXPECT_LE(Stats().committed_bytes, limit) << size;
    Set("hard_limit", 0);
    FreeAll();
    cma_malloc_trim(0);
  }
}

TEST_F(LimitsTest, AfterTheFirstRefusalThereIsAReserveForUnwinding) {
  const size_t limit = Stats().committed_bytes + 64 * kMiB;
  Set("hard_limit", limit);
  Fill(1 * kMiB);  // blocks of superblocks, to the limit

  size_t small = 0;
  void* block;
  while ((block = cma_malloc(1000)) != nullptr) {
    blocks_.push_back(block);
    small += 1000;
  }

  EXPECT_GE(small, 1 * kMiB);
  EXPECT_LE(Stats().committed_bytes, limit);
  EXPECT_EQ(cma_malloc(8 * kMiB), nullptr);
}

// Whatever its pages are: the old block and the new one need not fit side by side.
TEST_F(LimitsTest, AHugeBlockGrowsWhereNoSecondOneWouldFit) {
  for (const bool zeroed : {false, true}) {
    constexpr size_t kFirst = 24 * kMiB;
    void* block = zeroed ? cma_calloc(1, kFirst) : cma_malloc(kFirst);
    ASSERT_NE(block, nullptr);
    memset(block, 7, kFirst);
    Set("hard_limit", Stats().committed_bytes + 16 * kMiB);

    void* const grown = cma_realloc(block, kFirst + 8 * kMiB);

    ASSERT_NE(grown, nullptr) << (zeroed ? "calloc" : "malloc");
    for (size_t i = 0; i < kFirst; i += kKiB) ASSERT_EQ(static_cast<char*>(grown)[i], 7) << i;
    EXPECT_EQ(cma_realloc(grown, 1000 * kMiB), nullptr);
    Set("hard_limit", 0);
    cma_free(grown);
    cma_malloc_trim(0);
  }
}

TEST_F(LimitsTest, WhatIsFreedCanBeAllocatedAgain) {
  Set("hard_limit", Stats().committed_bytes + 64 * kMiB);
  for (int i = 0; i < 3; ++i) {
    EXPECT_GE(Fill(200'000) * 200'000, 40 * kMiB) << i;
    FreeAll();
    EXPECT_GE(Fill(5 * kMiB) * 5 * kMiB, 40 * kMiB) << i << ": free superblocks make room";
    FreeAll();
  }
}

TEST_F(LimitsTest, ReallocBeyondTheHardLimitLeavesTheBlockAlone) {
  auto* block = static_cast<char*>(cma_malloc(20 * kMiB));
  ASSERT_NE(block, nullptr);
  block[0] = 'a';
  block[20 * kMiB - 1] = 'z';
  Set("hard_limit", Stats().committed_bytes + 16 * kMiB);
  errno = 0;

  EXPECT_EQ(cma_realloc(block, 60 * kMiB), nullptr);

  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(block[0], 'a');
  EXPECT_EQ(block[20 * kMiB - 1], 'z');
  cma_free(block);
}

TEST_F(LimitsTest, ABlockShrinksWhereNoMemoryIsLeft) {
  for (const size_t size : {16'000, 500'000, 3'000'000}) {
    auto* const block = static_cast<char*>(cma_malloc(size));
    block[0] = 'a';
    Set("hard_limit", Stats().committed_bytes + 16 * kMiB);
    for (const size_t other : {500'000, 10'000, 500, 16}) Fill(other);

    EXPECT_EQ(cma_realloc(block, size / 1000), block);

    EXPECT_EQ(block[0], 'a');
    Set("hard_limit", 0);
    FreeAll();
    cma_free(block);
  }
}

TEST_F(LimitsTest, ThreadsTogetherStayWithinTheHardLimit) {
  const size_t limit = Stats().committed_bytes + 64 * kMiB;
  Set("hard_limit", limit);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([t, limit] {
      for (size_t i = 0; i < 200; ++i) {
        void* blocks[40];
        for (size_t b = 0; b < 40; ++b)
          blocks[b] = cma_malloc((i * 7919 + b * t * 100'003) % 3'000'000);
        EXPECT_LE(Stats().committed_bytes, limit);
        for (void* block : blocks) cma_free(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LimitsTest, OverTheSoftLimitFreeMemoryGoesBackAtOnce) {
  for (int i = 0; i < 200; ++i) memset(blocks_.emplace_back(cma_malloc(500'000)), 1, 500'000);
  FreeAll();
  ASSERT_GE(Stats().dirty_bytes, 60 * kMiB) << "for an hour";

  Set("soft_limit", 8 * kMiB);
  // Each step is bounded: allocations that take memory from the arenas do the next one.
  for (int i = 0; i < 2000 && Stats().dirty_bytes > 12 * kMiB; ++i) cma_free(cma_malloc(40'000));

  EXPECT_LE(Stats().dirty_bytes, 12 * kMiB);
}

TEST_F(LimitsTest, TheSoftLimitRefusesNothing) {
  Set("soft_limit", 1 * kMiB);
  for (int i = 0; i < 50; ++i) {
    blocks_.push_back(cma_malloc(1'000'000));
    ASSERT_NE(blocks_.back(), nullptr);
  }
  EXPECT_GE(Stats().committed_bytes, 48 * kMiB);
}

// What was freed before would serve what the limit is to refuse, and so would what is freed after.
TEST_F(LimitsTest, AHardLimitThatIsLoweredRefusesWhatComesNext) {
  constexpr size_t kBytes = 40 * kMiB;
  void* const kept = cma_malloc(kBytes);
  void* const freed = cma_malloc(kBytes);
  memset(kept, 1, kBytes);
  memset(freed, 1, kBytes);
  cma_free(freed);
  Set("hard_limit", Stats().committed_bytes - kBytes - 20 * kMiB);

  EXPECT_EQ(cma_malloc(kBytes), nullptr);
  cma_free(kept);
  EXPECT_EQ(cma_malloc(kBytes), nullptr) << "it waits";

  Set("hard_limit", 0);
  void* const again = cma_malloc(kBytes);
  EXPECT_NE(again, nullptr);
  cma_free(again);
}

}  // namespace
