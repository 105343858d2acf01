// cma_get_stats() and cma_stats_print(): the figures are true.
#include <errno.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/captured_text.h"
#include "support/interesting_sizes.h"
#include "support/long_delay.h"

namespace {

using namespace cma_test;

cma_stats Stats() {
  cma_stats stats;
  memset(&stats, 0xff, sizeof(stats));  // a field that is not written shows
  cma_get_stats(&stats);
  return stats;
}

// What programs were compiled with: a change breaks those that run with another version of
// libcma.so. New figures come out of what is reserved.
static_assert(sizeof(cma_stats) == 32 * sizeof(size_t));
static_assert(offsetof(cma_stats, heaps) == 18 * sizeof(size_t));
static_assert(sizeof(cma_heap_stats) == 16 * sizeof(size_t));
static_assert(offsetof(cma_heap_stats, refusals) == 6 * sizeof(size_t));

TEST(StatsStructTest, WhatIsReservedIsZero) {
  const cma_stats stats = Stats();
  for (const size_t figure : stats.reserved) EXPECT_EQ(figure, 0u);
}

size_t SumOfParts(const cma_stats& s) {
  return s.live_bytes + s.thread_cached_bytes + s.slab_free_bytes + s.free_run_bytes +
         s.free_superblock_bytes + s.metadata_bytes;
}

void ExpectIdentities(const cma_stats& s, const std::string& when) {
  EXPECT_EQ(s.mapped_bytes, SumOfParts(s)) << when;
  EXPECT_LE(s.huge_bytes, s.live_bytes) << when;
  EXPECT_LE(s.dirty_bytes, s.mapped_bytes - s.live_bytes - s.metadata_bytes) << when;
  EXPECT_LE(s.mapped_bytes, size_t{1} << 47) << when << ": below zero";
  EXPECT_LE(s.dirty_bytes, size_t{1} << 47) << when << ": below zero";
}

class StatsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { cma_free(cma_malloc(1)); }  // the heap is started
};

TEST_F(StatsTest, IdentitiesHoldForEverySize) {
  for (const size_t size : InterestingSizes(16 * kMiB)) {
    void* const block = cma_malloc(size);
    ExpectIdentities(Stats(), "with a block of " + std::to_string(size));

    cma_free(block);

    ExpectIdentities(Stats(), "without the block of " + std::to_string(size));
  }
}

TEST_F(StatsTest, LiveBytesGoUpAndDownByTheUsableSize) {
  for (const size_t size : InterestingSizes(16 * kMiB)) {
    const size_t before = Stats().live_bytes;

    void* const block = cma_malloc(size);
    const size_t with_block = Stats().live_bytes;
    const size_t usable = cma_malloc_usable_size(block);
    cma_free(block);

    EXPECT_EQ(with_block - before, usable) << size << " bytes";
    EXPECT_EQ(Stats().live_bytes, before) << size << " bytes";
  }
}

TEST_F(StatsTest, LiveBytesFollowManyBlocks) {
  const size_t before = Stats().live_bytes;
  std::vector<void*> blocks;
  size_t usable = 0;
  for (size_t i = 0; i < 50000; ++i) {
    blocks.push_back(cma_malloc(i * 37 % 5000));
    usable += cma_malloc_usable_size(blocks.back());
  }

  const cma_stats with_blocks = Stats();
  for (void* block : blocks) cma_free(block);
  const cma_stats without = Stats();

  EXPECT_EQ(with_blocks.live_bytes - before, usable);
  EXPECT_EQ(without.live_bytes, before);
  ExpectIdentities(with_blocks, "with 50,000 blocks");
  ExpectIdentities(without, "without them");
}

TEST_F(StatsTest, LiveBytesFollowBlocksThatComeAndGoAtRandom) {
  const size_t before = Stats().live_bytes;
  std::minstd_rand random(7);
  const auto random_size = [&random]() -> size_t {
    const size_t largest = random() % 100 == 0 ? 2 * kMiB
                           : random() % 4 == 0 ? 64 * kKiB
                                               : 4 * kKiB;
    return random() % largest;
  };
  std::vector<void*> blocks(2000);
  size_t usable = 0;

  for (int i = 0; i < 100000; ++i) {
    void*& block = blocks[random() % blocks.size()];
    usable -= cma_malloc_usable_size(block);
    if (block == nullptr) {
      block = i % 5 == 0 ? cma_aligned_alloc(size_t{16} << random() % 9, random_size())
                         : cma_malloc(random_size());
    } else if (i % 3 == 0) {
      block = cma_realloc(block, random_size() + 1);
    } else {
      cma_free(block);
      block = nullptr;
    }
    usable += cma_malloc_usable_size(block);
    if (i % 16 == 0) {
      ASSERT_EQ(Stats().live_bytes - before, usable) << "after " << i + 1 << " operations";
    }
  }

  ExpectIdentities(Stats(), "in between");
  for (void* block : blocks) cma_free(block);
  EXPECT_EQ(Stats().live_bytes, before);
}

TEST_F(StatsTest, LiveBytesFollowRealloc) {
  const size_t before = Stats().live_bytes;
  void* block = nullptr;
  for (const size_t size : {10, 2000, 100, 50000, 40000, 3000000, 9000000, 2000000, 1048576,
                            1048577, 1000000, 700, 17000, 16000, 1}) {
    block = cma_realloc(block, size);

    EXPECT_EQ(Stats().live_bytes - before, cma_malloc_usable_size(block)) << size << " bytes";
    ExpectIdentities(Stats(), "after realloc to " + std::to_string(size));
  }
  cma_free(block);
  EXPECT_EQ(Stats().live_bytes, before);
}

TEST_F(StatsTest, LiveBytesFollowAlignedBlocks) {
  for (size_t alignment = 32; alignment <= 16 * kMiB; alignment *= 2) {
    for (const size_t size : {100, 5000, 2000000}) {
      const size_t before = Stats().live_bytes;

      void* const block = cma_aligned_alloc(alignment, size);

      EXPECT_EQ(Stats().live_bytes - before, cma_malloc_usable_size(block))
          << size << " bytes at " << alignment;
      ExpectIdentities(Stats(), "aligned block");
      cma_free(block);
      EXPECT_EQ(Stats().live_bytes, before) << size << " bytes at " << alignment;
    }
  }
}

TEST_F(StatsTest, HugeBlocksAreCountedAlone) {
  const cma_stats before = Stats();

  void* const block = cma_malloc(64 * kMiB);
  const cma_stats with_block = Stats();
  const size_t usable = cma_malloc_usable_size(block);
  cma_free(block);

  EXPECT_EQ(with_block.huge_blocks, before.huge_blocks + 1);
  EXPECT_EQ(with_block.huge_bytes, before.huge_bytes + usable);
  EXPECT_EQ(Stats().huge_blocks, before.huge_blocks);
  EXPECT_EQ(Stats().huge_bytes, before.huge_bytes);
}

TEST_F(StatsTest, FailuresLeaveTheFiguresAsTheyWere) {
  const cma_stats before = Stats();

  EXPECT_EQ(cma_malloc(size_t{1} << 47), nullptr);
  EXPECT_EQ(cma_aligned_alloc(size_t{1} << 46, 100), nullptr);

  const cma_stats after = Stats();
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.huge_blocks, before.huge_blocks);
  ExpectIdentities(after, "after failures");
}

TEST_F(StatsTest, FreedMemoryIsDirtyUntilItIsReturned) {
  void* const block = cma_malloc(512 * kKiB);
  memset(block, 1, 512 * kKiB);
  cma_malloc_trim(0);
  const cma_stats before = Stats();

  cma_free(block);
  const cma_stats freed = Stats();
  cma_malloc_trim(0);
  const cma_stats trimmed = Stats();

  EXPECT_GE(freed.dirty_bytes, before.dirty_bytes + 512 * kKiB);
  EXPECT_LT(trimmed.dirty_bytes, freed.dirty_bytes);
  EXPECT_GE(trimmed.returned_bytes, before.returned_bytes + 512 * kKiB);
}

TEST_F(StatsTest, ThreadsAreCountedWhileTheyLive) {
  const size_t before = Stats().threads;
  size_t inside = 0;

  std::thread([&] {
    // On one CPU only a thread that allocates more than a little is one of them.
    for (int i = 0; i < 300; ++i) cma_free(cma_malloc(100));
    inside = Stats().threads;
  }).join();

  EXPECT_GE(before, 1u);
  EXPECT_EQ(inside, before + 1);
  EXPECT_EQ(Stats().threads, before);
}

TEST_F(StatsTest, AThreadThatEndsLeavesNothingLiveAndAfterATrimNothingCached) {
  cma_malloc_trim(0);
  const cma_stats before = Stats();

  std::thread([] {
    std::vector<void*> blocks(20000);
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = cma_malloc(i % 2000);
    for (void* block : blocks) cma_free(block);
  }).join();
  EXPECT_EQ(Stats().live_bytes, before.live_bytes);
  cma_malloc_trim(0);

  const cma_stats after = Stats();
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_LE(after.thread_cached_bytes, before.thread_cached_bytes);
  ExpectIdentities(after, "after the thread");
}

TEST_F(StatsTest, BlocksFreedByAnotherThreadAreNoLongerLive) {
  const size_t before = Stats().live_bytes;
  std::vector<void*> blocks(5000);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = cma_malloc(i % 3000);

  std::thread([&] {
    for (void* block : blocks) cma_free(block);
  }).join();

  EXPECT_EQ(Stats().live_bytes, before);
  ExpectIdentities(Stats(), "after the thread");
}

TEST_F(StatsTest, ThereIsAnArenaAndMetadata) {
  const cma_stats stats = Stats();

  EXPECT_GE(stats.arenas, 1u);
  EXPECT_GT(stats.metadata_bytes, 0u);
  EXPECT_GE(stats.mapped_bytes, stats.metadata_bytes);
}

TEST_F(StatsTest, ReadingThemWhileOthersWorkIsSafe) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;
  for (size_t w = 0; w < 3; ++w) {
    workers.emplace_back([&stop, w] {
      while (!stop.load()) {
        for (size_t i = 0; i < 200; ++i) cma_free(cma_malloc((i * 977 + w) % 100000));
      }
    });
  }

  for (int i = 0; i < 300; ++i) {
    const cma_stats stats = Stats();
    EXPECT_LE(stats.mapped_bytes, size_t{1} << 47);
    EXPECT_LE(stats.live_bytes, size_t{1} << 47);
  }

  stop = true;
  for (std::thread& worker : workers) worker.join();
  ExpectIdentities(Stats(), "afterwards");
}

TEST_F(StatsTest, TheTextHoldsTheFigures) {
  void* const block = cma_malloc(48 * kMiB);

  const std::string text = TextWrittenBy(cma_stats_print);

  EXPECT_NE(text.find("live"), std::string::npos) << text;
  EXPECT_NE(text.find("mapped"), std::string::npos) << text;
  EXPECT_NE(text.find(cma_version()), std::string::npos) << text;
  EXPECT_EQ(text.back(), '\n');
  cma_free(block);
}

TEST_F(StatsTest, TheFormsAreWrittenToACallbackAndToADescriptor) {
  for (const cma_stats_format format : {CMA_STATS_TEXT, CMA_STATS_JSON, CMA_STATS_PROMETHEUS}) {
    std::string text;
    const auto write = [](void* context, const char* piece, size_t bytes) {
      static_cast<std::string*>(context)->append(piece, bytes);
    };

    EXPECT_EQ(cma_stats_write(format, write, &text), 0);

    EXPECT_NE(text.find(cma_version()), std::string::npos) << text;
    EXPECT_EQ(text.back(), '\n');
  }
  const std::string json =
      TextWrittenBy([](int fd) { EXPECT_EQ(cma_stats_dump(fd, CMA_STATS_JSON), 0); });
  EXPECT_EQ(json.substr(0, 1), "{");
}

TEST_F(StatsTest, AnUnknownFormIsRefused) {
  const auto write = [](void*, const char*, size_t) { FAIL(); };
  for (const int format : {0, 4, -1}) {
    errno = 0;
    EXPECT_EQ(cma_stats_write(static_cast<cma_stats_format>(format), write, nullptr), -1);
    EXPECT_EQ(errno, EINVAL);
    errno = 0;
    EXPECT_EQ(cma_stats_dump(-1, static_cast<cma_stats_format>(format)), -1);
    EXPECT_EQ(errno, EINVAL);
  }
}

TEST_F(StatsTest, ADescriptorThatTakesNothingIsAnError) {
  for (const cma_stats_format format : {CMA_STATS_TEXT, CMA_STATS_JSON, CMA_STATS_PROMETHEUS}) {
    errno = 0;
    EXPECT_EQ(cma_stats_dump(-1, format), -1);
    EXPECT_EQ(errno, EBADF);
  }
}

}  // namespace
