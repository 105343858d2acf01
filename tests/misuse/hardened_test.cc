// profile=hardened: what is freed is zeroed, waits, and is checked.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/opaque.h"

namespace {

// cma reads it when it is first called, after this. The tests read freed memory: it stays mapped,
// however long they pause.
const bool hardened = setenv("CMA_OPTIONS", "profile=hardened,release_delay_ms=1h", 1) == 0;

using cma_test::Opaque;
using testing::KilledBySignal;

constexpr size_t kKeyStart = 8;  // the second word of a free block is the allocator's
constexpr size_t kKeyEnd = 16;

char* FilledBlock(size_t size) {
  auto* const block = static_cast<char*>(cma_malloc(size));
  memset(block, 0x5a, cma_malloc_usable_size(block));
  return block;
}

// More than the quarantine holds.
void FreeManyOthers() {
  for (int i = 0; i < 4000; ++i) cma_free(cma_malloc(1000));
}

class HardenedTest : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(hardened);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};
using HardenedDeathTest = HardenedTest;

TEST_P(HardenedTest, FreedMemoryHoldsNothingOfWhatWasInIt) {
  volatile char* const block = FilledBlock(GetParam());
  const size_t bytes = cma_malloc_usable_size(const_cast<char*>(block));

  cma_free(const_cast<char*>(block));

  for (size_t i = 0; i < bytes; ++i) {
    if (i < kKeyStart || i >= kKeyEnd) {
      ASSERT_EQ(block[i], 0) << i;
    }
  }
}

TEST_P(HardenedTest, AFreedBlockOfAHeapHoldsNothingOfWhatWasInIt) {
  cma_heap* const heap = cma_heap_create("hardened", 0);
  auto* const block = static_cast<char*>(cma_heap_malloc(heap, GetParam()));
  const size_t bytes = cma_malloc_usable_size(block);
  memset(block, 0x5a, bytes);

  cma_free(block);

  const volatile char* const freed = block;
  for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(freed[i], 0) << i;
  cma_heap_destroy(heap);
}

TEST_P(HardenedTest, AFreedBlockIsNotGivenOutAgainAtOnce) {
  char* const block = FilledBlock(GetParam());
  cma_free(block);
  std::vector<void*> others;
  for (int i = 0; i < 8; ++i) others.push_back(cma_malloc(GetParam()));

  EXPECT_EQ(std::count(others.begin(), others.end(), Opaque(block)), 0);

  for (void* other : others) cma_free(other);
}

TEST_P(HardenedDeathTest, ASecondFreeIsReportedWhateverWasWrittenInBetween) {
  EXPECT_EXIT(
      {
        char* const block = FilledBlock(GetParam());
        cma_free(block);
        memset(Opaque(block), 0x33, 16);
        cma_free(Opaque(block));
      },
      KilledBySignal(SIGABRT), "^cma: double free of 0x");
}

TEST_P(HardenedDeathTest, AWriteAfterFreeIsReportedWhenTheBlockLeavesTheQuarantine) {
  for (const size_t at : {size_t{0}, size_t{8}, GetParam() - 1}) {
    EXPECT_EXIT(
        {
          char* const block = FilledBlock(GetParam());
          cma_free(block);
          Opaque(block)[at] = 1;
          FreeManyOthers();
        },
        KilledBySignal(SIGABRT), "a block was written to after it was freed at 0x")
        << at;
  }
}

TEST_P(HardenedDeathTest, UsesOfAFreedBlockAreReported) {
  char* const block = FilledBlock(GetParam());
  cma_free(block);

  EXPECT_EXIT(cma_realloc(Opaque(block), 10), KilledBySignal(SIGABRT), "the block is already free");
  EXPECT_EXIT(cma_malloc_usable_size(Opaque(block)), KilledBySignal(SIGABRT),
              "the block is already free");
}

INSTANTIATE_TEST_SUITE_P(Sizes, HardenedTest, testing::Values(16, 24, 100, 1000, 3000, 30000));
INSTANTIATE_TEST_SUITE_P(Sizes, HardenedDeathTest, testing::Values(16, 24, 100, 1000, 3000, 30000));

TEST(HardenedHeapTest, LargeBlocksAreZeroedAndHugeOnesUnmapped) {
  volatile char* const large = FilledBlock(200'000);
  void* const wall = cma_malloc(200'000);
  cma_free(const_cast<char*>(large));
  for (size_t i = 0; i < 200'000; ++i) ASSERT_EQ(large[i], 0) << i;
  cma_free(wall);

  cma_stats before, after;
  char* const huge = FilledBlock(8 << 20);
  cma_get_stats(&before);
  cma_free(huge);
  cma_get_stats(&after);
  EXPECT_LE(after.mapped_bytes, before.mapped_bytes - (8 << 20));
}

TEST(HardenedHeapTest, WhatIsCutOffALargeBlockIsZeroed) {
  cma_heap* const heap = cma_heap_create("hardened", 0);
  for (const bool by_realloc : {true, false}) {
    for (char* const block :
         {FilledBlock(800'000), static_cast<char*>(cma_heap_malloc(heap, 800'000))}) {
      memset(block, 0x5a, 800'000);

      if (by_realloc) {
        ASSERT_EQ(cma_realloc(block, 100'000), block);
      } else {
        ASSERT_GE(cma_try_resize(block, 100'000), 100'000u);
      }

      const size_t kept = cma_malloc_usable_size(block);
      ASSERT_LT(kept, 200'000u);
      const volatile char* const bytes = block;
      for (size_t i = kept; i < 800'000; ++i) ASSERT_EQ(bytes[i], 0) << i;
      ASSERT_EQ(bytes[kept - 1], 0x5a);
      cma_free(block);
    }
  }
  cma_heap_destroy(heap);
}

TEST(HardenedHeapTest, ThreadsShareItAndTheFiguresAddUp) {
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::vector<std::pair<char*, size_t>> blocks(100);
      for (size_t i = 0; i < 20'000; ++i) {
        auto& [block, size] = blocks[i * 31 % blocks.size()];
        if (block != nullptr) {
          EXPECT_EQ(block[0], static_cast<char>(t));
          EXPECT_EQ(block[size - 1], static_cast<char>(t));
        }
        cma_free(block);
        size = 1 + i * 7919 % (i % 50 == 0 ? 100'000 : 2'000);
        block = static_cast<char*>(cma_malloc(size));
        memset(block, static_cast<int>(t), size);
      }
      for (const auto& [block, size] : blocks) cma_free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();

  cma_stats s;
  cma_get_stats(&s);
  EXPECT_EQ(s.mapped_bytes, s.live_bytes + s.thread_cached_bytes + s.slab_free_bytes +
                                s.free_run_bytes + s.free_superblock_bytes + s.metadata_bytes);
  EXPECT_EQ(s.threads, 0u) << "no thread has a cache";
  EXPECT_GE(s.thread_cached_bytes, size_t{500} << 10) << "what is in quarantine";
  EXPECT_LE(s.thread_cached_bytes, size_t{1100} << 10);
}

TEST(HardenedHeapTest, AForkedChildGoesOn) {
  std::vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(FilledBlock(100));
  const pid_t child = fork();
  if (child == 0) {
    for (void* block : blocks) cma_free(block);
    FreeManyOthers();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (void* block : blocks) cma_free(block);
}

TEST(HardenedHeapTest, AtTheHardLimitTheQuarantineIsGivenUp) {
  std::vector<void*> blocks;
  for (int i = 0; i < 30; ++i) blocks.push_back(FilledBlock(30'000));
  for (void* block : blocks) cma_free(block);
  cma_stats s;
  cma_get_stats(&s);
  ASSERT_GE(s.thread_cached_bytes, 800'000u);
  ASSERT_EQ(cma_option_set("hard_limit", "16m"), 0);

  blocks.clear();
  while (void* block = cma_malloc(500'000)) blocks.push_back(block);

  cma_get_stats(&s);
  EXPECT_EQ(s.thread_cached_bytes, 0u);
  EXPECT_EQ(cma_option_set("hard_limit", "0"), 0);
  for (void* block : blocks) cma_free(block);
}

}  // namespace
