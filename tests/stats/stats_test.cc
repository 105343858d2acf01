#include "stats/stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "options/options.h"
#include "stats/snapshot.h"
#include "support/captured_text.h"
#include "support/one_cpu.h"
#include "support/sanitizer.h"

namespace cma {
namespace {

using testing::HasSubstr;

// While it lives, the thread stays with the arena of its CPU. One that is moved frees blocks of
// another arena, which are on their way then.
class OneArena {
 public:
  OneArena() {
    for (int i = 0; i < 100; ++i) cma_free(cma_malloc(kLargeMax));  // until it has gone there
  }

 private:
  const cma_test::OnOneCpu on_one_cpu_;
};

class CollectStatsTest : public testing::Test {
 protected:
  CollectStatsTest() {
    g_options.background_thread = 0;
    g_options.release_delay_ms = 3'600'000;  // nor do the test's own calls return anything
    EnsureHeap();
    ThreadCache::FlushCurrent();
    g_heap.releaser.ReleaseAll();
  }

  static cma_stats Collect() {
    cma_stats stats;
    CollectStats(&stats);
    return stats;
  }

  // The arenas and classes of a snapshot make up its totals.
  static void ExpectDetailsAddUp() {
    const Snapshot snapshot;
    const cma_stats& s = snapshot.totals();
    ASSERT_NE(snapshot.details(), nullptr);
    const Details& details = *snapshot.details();
    EXPECT_EQ(details.heap_count, s.heaps);
    EXPECT_GE(details.arena_count, s.arenas);
    EXPECT_LE(details.arena_count, s.arenas + s.heaps);
    size_t arena_bytes = 0;
    size_t slab_free = 0;
    size_t free_runs = 0;
    size_t lent = 0;
    for (size_t i = 0; i < details.arena_count; ++i) {
      const ArenaFigures& arena = details.arenas[i];
      EXPECT_EQ(arena.mapped, arena.lent + arena.slab_free + arena.free_run);
      arena_bytes += arena.mapped;
      lent += arena.lent;
      slab_free += arena.slab_free;
      free_runs += arena.free_run;
    }
    EXPECT_EQ(arena_bytes + s.huge_bytes + s.free_superblock_bytes + s.metadata_bytes,
              s.mapped_bytes);
    EXPECT_EQ(slab_free, s.slab_free_bytes);
    EXPECT_EQ(free_runs, s.free_run_bytes);
    EXPECT_EQ(lent, s.live_bytes - s.huge_bytes + s.thread_cached_bytes);
    size_t live = details.large_bytes + s.huge_bytes;
    size_t cached = details.moving_bytes + details.large_cached_bytes;
    for (SizeClass c = 1; c < kSizeClasses; ++c) {
      const ClassFigures& figures = details.classes[c];
      live += figures.live * ClassBytes(c);
      cached += figures.cached * ClassBytes(c);
      size_t slabs = 0;
      for (const size_t n : figures.slabs_by_fullness) slabs += n;
      EXPECT_EQ(slabs, figures.slabs) << ClassBytes(c);
      if (c < kSmallClasses) {
        EXPECT_EQ(figures.live + figures.cached + figures.depot + figures.free,
                  figures.slabs * (kUnitBytes / ClassBytes(c)) + figures.in_mixed)
            << ClassBytes(c);
      }
    }
    EXPECT_EQ(live - details.moving_bytes, s.live_bytes);
    EXPECT_EQ(cached, s.thread_cached_bytes);
  }

  static void ExpectIdentity() {
    const cma_stats s = Collect();
    EXPECT_EQ(s.mapped_bytes, s.live_bytes + s.thread_cached_bytes + s.slab_free_bytes +
                                  s.free_run_bytes + s.free_superblock_bytes + s.metadata_bytes);
    EXPECT_EQ(s.mapped_bytes, g_heap.central.mapped_bytes() + g_heap.huge.live_bytes() +
                                  g_heap.huge.cached_bytes() + g_heap.huge.empty_bytes() +
                                  g_heap.metadata.mapped_bytes());
    EXPECT_LE(s.huge_bytes, s.live_bytes);
    EXPECT_LE(s.dirty_bytes, s.mapped_bytes);
    EXPECT_EQ(s.rss_bytes + s.absent_bytes, s.resident_most_bytes + s.other_bytes);
    EXPECT_LE(s.resident_most_bytes, s.mapped_bytes);
    EXPECT_LE(s.live_bytes + s.dirty_bytes, s.resident_most_bytes);
    EXPECT_LE(s.committed_bytes, s.mapped_bytes);
    ExpectDetailsAddUp();
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

TEST_F(CollectStatsTest, AHeapsBlocksAreCountedLikeAllOthersAndOnceMoreForTheHeap) {
  cma_heap* const heap = cma_heap_create("counted", 0);
  for (size_t bytes = 16; bytes <= 16 * kMiB; bytes += bytes / 2) {
    ASSERT_NE(cma_heap_malloc(heap, bytes), nullptr);
    ExpectIdentity();
  }
  {
    const Snapshot snapshot;
    const HeapFigures& figures = snapshot.details()->heaps[0];
    EXPECT_STREQ(figures.name, "counted");
    EXPECT_TRUE(IsUserHeap(static_cast<uint16_t>(figures.arena)));
    EXPECT_LE(figures.bytes.live, snapshot.totals().live_bytes);
    EXPECT_GE(figures.bytes.live, 32 * kMiB);
  }
  cma_heap_destroy(heap);
  ExpectIdentity();
}

TEST_F(CollectStatsTest, BlocksFreedByAnotherThreadAreCountedOnceOnTheirWay) {
  std::vector<void*> blocks;
  for (size_t i = 0; i < 20'000; ++i) blocks.push_back(cma_malloc(i % 5000));
  std::thread([&blocks] {
    for (size_t i = 0; i < blocks.size(); i += 2) cma_free(blocks[i]);
    ExpectIdentity();
  }).join();
  ExpectIdentity();
  for (size_t i = 1; i < blocks.size(); i += 2) cma_free(blocks[i]);
  ExpectIdentity();
}

TEST_F(CollectStatsTest, TheLargestMediumClassIsCountedToTheByte) {
  // Free runs that are a little longer than the class, in a row.
  std::vector<void*> walls;
  std::vector<void*> holes;
  for (int i = 0; i < 64; ++i) {
    holes.push_back(cma_malloc(kMediumMax + 512));
    walls.push_back(cma_malloc(kMediumMax + 512));
  }
  for (void* hole : holes) cma_free(hole);
  std::vector<void*> blocks;
  for (int i = 0; i < 64; ++i) {
    blocks.push_back(cma_malloc(kMediumMax));
    ExpectIdentity();
  }
  for (void* block : blocks) cma_free(block);
  ExpectIdentity();
  for (void* wall : walls) cma_free(wall);
}

TEST_F(CollectStatsTest, TheBlocksOfAClassAreCountedByWhereTheyAre) {
  const OneArena here;
  constexpr size_t kBytes = 960;  // nobody else's
  constexpr SizeClass kClass = ClassOf(kBytes);
  std::vector<void*> blocks;
  for (int i = 0; i < 400; ++i) blocks.push_back(cma_malloc(kBytes));
  EXPECT_EQ(Snapshot().details()->classes[kClass].live, 400u);
  for (int i = 0; i < 300; ++i) {
    cma_free(blocks.back());
    blocks.pop_back();
  }

  const ClassFigures freed = Snapshot().details()->classes[kClass];
  EXPECT_EQ(freed.live, 100u);
  EXPECT_GE(freed.slabs, 3u);
  EXPECT_EQ(freed.cached + freed.depot + freed.free, freed.slabs * (kUnitBytes / kBytes) - 100);
  EXPECT_GT(freed.cached, 0u);
  EXPECT_GT(freed.depot, 0u);

  ThreadCache::FlushCurrent();
  g_heap.releaser.ReleaseAll();
  const ClassFigures flushed = Snapshot().details()->classes[kClass];
  EXPECT_EQ(flushed.live, 100u);
  EXPECT_EQ(flushed.cached + flushed.depot, 0u);
  for (void* block : blocks) cma_free(block);
  EXPECT_EQ(Snapshot().details()->classes[kClass].live, 0u);
}

TEST_F(CollectStatsTest, TheSumsHoldInEveryAnswerWhileThreadsWork) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;
  std::vector<std::atomic<void*>> shared(512);
  for (size_t w = 0; w < 3; ++w) {
    workers.emplace_back([&stop, &shared, w] {
      for (size_t i = w; !stop.load(); ++i) {
        void* const block = cma_malloc(i * 7919 % 40'000);
        cma_free(shared[i * 31 % shared.size()].exchange(block));
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    const Snapshot snapshot;
    const cma_stats& s = snapshot.totals();
    ASSERT_EQ(s.mapped_bytes, s.live_bytes + s.thread_cached_bytes + s.slab_free_bytes +
                                  s.free_run_bytes + s.free_superblock_bytes + s.metadata_bytes);
    ASSERT_EQ(s.rss_bytes + s.absent_bytes, s.resident_most_bytes + s.other_bytes);
    // Nothing has wrapped around.
    ASSERT_LE(s.mapped_bytes, 4 * kGiB);
    ASSERT_LE(s.dirty_bytes, 4 * kGiB);
    ASSERT_LE(s.resident_most_bytes, s.mapped_bytes);
    for (const ClassFigures& figures : snapshot.details()->classes) {
      ASSERT_LE(figures.live, kGiB);
      ASSERT_LE(figures.cached, kGiB);
    }
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  for (std::atomic<void*>& block : shared) cma_free(block.load());
  ExpectIdentity();
}

TEST_F(CollectStatsTest, ResidentMemoryIsExplained) {
  constexpr size_t kBytes = 32 * kMiB;
  const cma_stats before = Collect();
  void* const block = cma_malloc(kBytes);
  const cma_stats untouched = Collect();
  memset(block, 1, kBytes);
  const cma_stats touched = Collect();
  cma_free(block);

  EXPECT_EQ(untouched.resident_most_bytes, before.resident_most_bytes + kBytes);
  if (!cma_test::kThreadSanitizer) {  // it writes to its shadow of all that is mapped
    EXPECT_LE(untouched.rss_bytes, before.rss_bytes + kBytes / 2);
  }
  EXPECT_GE(touched.rss_bytes, before.rss_bytes + kBytes / 2);
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
  const OneArena here;
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
  for (const char* name :
       {"mapped", "live", "cached", "free in slabs", "free runs", "free superblocks", "metadata",
        "dirty", "returned", "committed", "RSS", "resident", "other", "absent"}) {
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
