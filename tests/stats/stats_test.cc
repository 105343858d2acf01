#include "stats/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "options/options.h"
#include "support/captured_text.h"

namespace cma {
namespace {

using testing::HasSubstr;

class CollectStatsTest : public testing::Test {
 protected:
  CollectStatsTest() {
    g_options.background_thread = 0;
    EnsureHeap();
    ThreadCache::FlushCurrent();
    g_heap.releaser.ReleaseAll();
  }

  static cma_stats Collect() {
    cma_stats stats;
    CollectStats(&stats);
    return stats;
  }

  static void ExpectIdentity() {
    const cma_stats s = Collect();
    EXPECT_EQ(s.mapped_bytes, s.live_bytes + s.thread_cached_bytes + s.slab_free_bytes +
                                  s.free_run_bytes + s.free_superblock_bytes + s.metadata_bytes);
    EXPECT_EQ(s.mapped_bytes, g_heap.central.mapped_bytes() + g_heap.huge.live_bytes() +
                                  g_heap.huge.cached_bytes() + g_heap.metadata.mapped_bytes());
    EXPECT_LE(s.huge_bytes, s.live_bytes);
    EXPECT_LE(s.dirty_bytes, s.mapped_bytes);
  }
};

TEST_F(CollectStatsTest, EveryLayersShareIsCountedOnce) {
  std::vector<void*> blocks;
  for (size_t bytes = 16; bytes <= 16 * kMiB; bytes += bytes / 2) {
    for (int i = 0; i < 20 && bytes * i <= 32 * kMiB; ++i) blocks.push_back(cma_malloc(bytes));
    ExpectIdentity();
  }
  for (size_t i = 0; i < blocks.size(); i += 2) cma_free(blocks[i]);
  ExpectIdentity();
  for (size_t i = 1; i < blocks.size(); i += 2) cma_free(blocks[i]);
  ExpectIdentity();
  ThreadCache::FlushCurrent();
  ExpectIdentity();
  g_heap.releaser.ReleaseAll();
  ExpectIdentity();
}

TEST_F(CollectStatsTest, BlocksInTheCacheAreCachedAndNotLive) {
  const cma_stats before = Collect();
  void* const block = cma_malloc(64);
  const size_t waiting = g_caches.Count().bytes;

  EXPECT_EQ(Collect().live_bytes, before.live_bytes + 64);
  cma_free(block);

  EXPECT_EQ(Collect().live_bytes, before.live_bytes);
  EXPECT_EQ(Collect().thread_cached_bytes, waiting + 64);
}

TEST_F(CollectStatsTest, ACachedHugeBlockIsAFreeSuperblock) {
  const cma_stats before = Collect();
  void* const block = cma_malloc(8 * kMiB);
  EXPECT_EQ(Collect().huge_bytes, before.huge_bytes + 8 * kMiB);
  EXPECT_EQ(Collect().huge_blocks, before.huge_blocks + 1);

  cma_free(block);

  EXPECT_EQ(Collect().huge_bytes, before.huge_bytes);
  EXPECT_EQ(Collect().free_superblock_bytes, before.free_superblock_bytes + 8 * kMiB);
  EXPECT_EQ(Collect().dirty_bytes, before.dirty_bytes + 8 * kMiB);
}

TEST_F(CollectStatsTest, WhatIsReturnedIsNoLongerDirty) {
  std::vector<void*> blocks;
  for (int i = 0; i < 20'000; ++i) blocks.push_back(cma_malloc(512));
  for (void* block : blocks) cma_free(block);
  ThreadCache::FlushCurrent();
  const cma_stats before = Collect();
  ASSERT_GE(before.dirty_bytes, 8 * kMiB);

  g_heap.releaser.ReleaseAll();

  EXPECT_LE(Collect().dirty_bytes, kMiB);
  EXPECT_GE(Collect().returned_bytes - before.returned_bytes, 8 * kMiB);
}

TEST_F(CollectStatsTest, TheTextHasALineForEveryFigureAndTheVersion) {
  const std::string text = cma_test::TextWrittenBy([](int fd) { PrintStats(fd); });

  EXPECT_THAT(text, HasSubstr(std::string("cma: version ") + cma_version()));
  for (const char* name : {"mapped", "live", "cached", "free in slabs", "free runs",
                           "free superblocks", "metadata", "dirty", "returned"}) {
    EXPECT_THAT(text, HasSubstr(std::string(" KiB  ") + name + ": "));
  }
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(CollectStatsTest, CollectingAllocatesNothing) {
  cma_free(cma_malloc(16));
  const cma_stats before = Collect();

  for (int i = 0; i < 100; ++i) Collect();

  EXPECT_EQ(Collect().mapped_bytes, before.mapped_bytes);
  EXPECT_EQ(Collect().live_bytes, before.live_bytes);
}

}  // namespace
}  // namespace cma
