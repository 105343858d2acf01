// A thread's cache on the heap of the process.
#include "cache/thread_cache.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "options/options.h"
#include "support/pattern.h"
#include "support/scoped_options.h"

namespace cma {
namespace {

using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::KeyOfAddress;
using cma_test::kIntact;

class ThreadCacheTest : public testing::Test {
 protected:
  ThreadCacheTest() {
    // What is freed stays where it is until it is looked at: for no thread, and no call, it is time
    // for a round.
    g_options.background_thread = 0;
    g_options.release_delay_ms = 3'600'000;
    EnsureHeap();
    cma_malloc_trim(0);
    cma_free(cma_malloc(16));
    LookOverListsNoMore();
  }

  static std::vector<void*> Allocate(size_t count, size_t bytes) {
    std::vector<void*> blocks;
    for (size_t i = 0; i < count; ++i) blocks.push_back(cma_malloc(bytes));
    return blocks;
  }

  static void Free(const std::vector<void*>& blocks) {
    for (void* block : blocks) cma_free(block);
  }

  static size_t CapacityOf(SizeClass c) { return t_cache->backing[c].capacity(); }

  // The lists of this thread's cache get no shorter because the machine is slow.
  static void LookOverListsNoMore() {
    t_cache->swept = std::numeric_limits<Milliseconds>::max() / 2;
  }

  // Makes the cache look over its lists once, as it does from time to time.
  static void LookOverLists() {
    t_cache->swept = 0;
    while (t_cache->swept == 0) ThreadCache::HomeArena(t_cache);
    LookOverListsNoMore();
  }

  static cma_stats Stats() {
    cma_stats stats;
    cma_get_stats(&stats);
    return stats;
  }

  cma_test::ScopedOptions options_;
};

TEST_F(ThreadCacheTest, ABlockThatWasFreedIsTheNextOfItsSize) {
  for (const size_t bytes : {16u, 100u, 1024u, 2000u, 20'000u}) {
    void* const first = cma_malloc(bytes);
    void* const second = cma_malloc(bytes);

    cma_free(first);
    cma_free(second);

    EXPECT_EQ(cma_malloc(bytes), second);
    EXPECT_EQ(cma_malloc(bytes), first);
    Free({first, second});
  }
}

TEST_F(ThreadCacheTest, FreshBlocksComeInTheOrderOfTheirAddresses) {
  const std::vector<void*> blocks = Allocate(200, 176);

  EXPECT_TRUE(std::is_sorted(blocks.begin(), blocks.end()));
  Free(blocks);
}

TEST_F(ThreadCacheTest, AProgramsBlockDoesNotCarryTheKey) {
  for (const size_t bytes : {32u, 512u, 3000u}) {
    for (int round = 0; round < 3; ++round) {
      const std::vector<void*> blocks = Allocate(300, bytes);
      for (void* block : blocks) ASSERT_NE(KeyOf(AddressOf(block)), g_address_map.FreeKey());
      Free(blocks);
    }
  }
}

TEST_F(ThreadCacheTest, AListGrowsWhileItIsNeededUpToItsBound) {
  const SizeClass c = ClassOf(64);
  size_t before = 0;
  std::vector<void*> blocks;
  for (int i = 0; i < 5000; ++i) {
    blocks.push_back(cma_malloc(64));
    ASSERT_GE(CapacityOf(c), before);
    before = CapacityOf(c);
    if (i == 0) {
      EXPECT_LE(CapacityOf(c), 16u);
    }
  }

  EXPECT_GE(CapacityOf(c), 64u);
  EXPECT_LE(SlotCount(CapacityOf(c)), ArrayPool::kMaxSlots);
  Free(blocks);
}

TEST_F(ThreadCacheTest, NoListHoldsMoreThanItsBytes) {
  for (SizeClass c = 1; c < kSizeClasses; c += 3) {
    const size_t bytes = ClassBytes(c);
    std::vector<void*> blocks = Allocate(2 * kMiB / bytes / 8 + 8, bytes);
    Free(blocks);
    blocks = Allocate(blocks.size(), bytes);
    Free(blocks);

    EXPECT_LE(t_cache->depth(c), CapacityOf(c));
    EXPECT_LE(CapacityOf(c) * bytes, std::max(128 * kKiB, 2 * bytes)) << bytes;
  }
}

// As in a thread that only frees what others have allocated.
TEST_F(ThreadCacheTest, AListThatOnlyOverflowsStaysShort) {
  cma_free(cma_malloc(16));
  for (const size_t bytes : {64u, 512u, 2000u}) {
    std::vector<std::byte*> blocks(64 * kKiB / bytes);
    {
      LockGuard guard(t_cache->arena->lock());
      for (std::byte*& block : blocks) {
        ASSERT_EQ(t_cache->arena->TakeBlocks(ClassOf(bytes), &block, 1), 1u);
        KeyOf(AddressOf(block)) = 0;
      }
    }

    for (std::byte* block : blocks) cma_free(block);

    const size_t capacity = CapacityOf(ClassOf(bytes));
    EXPECT_LE(capacity * bytes, std::max(4 * kKiB, 2 * bytes)) << bytes;
    EXPECT_GE(capacity, 2u) << bytes;
  }
}

TEST_F(ThreadCacheTest, WithoutABudgetListsStayAsTheyStart) {
  g_options.cache_budget_kib = 0;
  void* const first = cma_malloc(48);
  const size_t start = CapacityOf(ClassOf(48));

  const std::vector<void*> blocks = Allocate(2000, 48);
  Free(blocks);

  EXPECT_EQ(CapacityOf(ClassOf(48)), start);
  EXPECT_EQ(t_cache->grown_bytes, 0u);
  cma_free(first);
}

TEST_F(ThreadCacheTest, GivingListsUpGivesTheirPartOfTheBudgetBack) {
  for (const size_t bytes : {16u, 64u, 1024u, 4000u}) Free(Allocate(2000, bytes));
  EXPECT_GT(t_cache->grown_bytes, 0u);

  ThreadCache::FlushCurrent();

  EXPECT_EQ(t_cache->grown_bytes, 0u);
}

TEST_F(ThreadCacheTest, TheBudgetLastsForEver) {
  g_options.cache_budget_kib = 512;
  const auto CapacityAfterUse = [] {
    Free(Allocate(500, 256));
    const size_t capacity = CapacityOf(ClassOf(256));
    ThreadCache::FlushCurrent();
    return capacity;
  };
  const size_t first = CapacityAfterUse();
  ASSERT_GT(first, 6u);

  for (int i = 0; i < 200; ++i) ASSERT_EQ(CapacityAfterUse(), first) << i;
  std::thread([&] {
    cma_free(cma_malloc(16));
    LookOverListsNoMore();
    for (int i = 0; i < 20; ++i) ASSERT_EQ(CapacityAfterUse(), first);
    Free(Allocate(500, 256));
  }).join();
  EXPECT_EQ(CapacityAfterUse(), first);
}

TEST_F(ThreadCacheTest, AFlushedCacheHoldsNothing) {
  for (SizeClass c = 1; c < kSizeClasses; ++c) Free(Allocate(20, ClassBytes(c)));

  ThreadCache::FlushCurrent();

  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    EXPECT_EQ(t_cache->depth(c), 0u);
    EXPECT_EQ(CapacityOf(c), 0u);
  }
  EXPECT_EQ(t_cache->outbox.bytes(), 0u);
  EXPECT_FALSE(t_cache->in_slow_path.load());
}

TEST_F(ThreadCacheTest, AListThatGoesUnusedIsGivenUpStepByStep) {
  const SizeClass c = ClassOf(64);
  Free(Allocate(2000, 64));
  size_t depth = t_cache->depth(c);
  ASSERT_GT(depth, 10u);

  LookOverLists();
  EXPECT_EQ(t_cache->depth(c), depth);
  for (int i = 0; depth != 0 && i < 20; ++i) {
    LookOverLists();
    EXPECT_LE(t_cache->depth(c), depth / 2);
    depth = t_cache->depth(c);
  }
  LookOverLists();

  EXPECT_EQ(CapacityOf(c), 0u);
}

TEST_F(ThreadCacheTest, AListThatIsUsedIsKept) {
  const SizeClass c = ClassOf(64);
  std::vector<void*> held = Allocate(1, 64);
  Free(Allocate(2000, 64));
  const size_t capacity = CapacityOf(c);
  ASSERT_GT(t_cache->depth(c), 20u);

  for (int i = 0; i < 20; ++i) {
    LookOverLists();
    held.push_back(cma_malloc(64));
  }

  EXPECT_EQ(CapacityOf(c), capacity);
  EXPECT_GT(t_cache->depth(c), 0u);
  Free(held);
}

TEST_F(ThreadCacheTest, AThreadThatUsesEverySizeUpTo1KiBOnceKeepsLittle) {
  Free({cma_malloc(16)});
  size_t kept = 0;

  std::thread([&kept] {
    for (SizeClass c = 1; ClassBytes(c) <= kTableMax; ++c) cma_free(cma_malloc(ClassBytes(c)));
    for (SizeClass c = 1; c < kSizeClasses; ++c) kept += t_cache->depth(c) * ClassBytes(c);
  }).join();

  EXPECT_LE(kept, 96 * kKiB);
}

TEST_F(ThreadCacheTest, AThreadThatEndsGivesEverythingBack) {
  cma_free(cma_malloc(16));
  ThreadCache::FlushCurrent();
  const cma_stats before = Stats();

  std::thread([] {
    for (SizeClass c = 1; c < kSizeClasses; ++c) Free(Allocate(50, ClassBytes(c)));
    EXPECT_GT(g_caches.Count().bytes, 0u);
  }).join();

  const cma_stats ended = Stats();
  EXPECT_EQ(ended.threads, before.threads);
  EXPECT_EQ(ended.live_bytes, before.live_bytes);
  EXPECT_GT(ended.thread_cached_bytes, before.thread_cached_bytes) << "for the next thread";

  g_heap.releaser.ReleaseAll();

  EXPECT_EQ(Stats().live_bytes, before.live_bytes);
  EXPECT_EQ(Stats().thread_cached_bytes, before.thread_cached_bytes);
}

TEST_F(ThreadCacheTest, AThreadTakesTheCacheOverThatTheLastOneLeft) {
  cma_free(cma_malloc(16));
  ThreadCache* left = nullptr;
  void* block = nullptr;
  std::thread([&] {
    cma_free(block = cma_malloc(1000));
    left = t_cache;
  }).join();

  std::thread([&] {
    EXPECT_EQ(cma_malloc(1000), block);
    EXPECT_EQ(t_cache, left);
    cma_free(block);
  }).join();
}

TEST_F(ThreadCacheTest, AThreadThatIsIdleLeavesNoCache) {
  cma_free(cma_malloc(16));
  g_heap.releaser.ReleaseAll();
  std::thread([] {
    cma_free(cma_malloc(1000));
    cma_thread_idle();
  }).join();

  g_caches.MarkParked();
  EXPECT_EQ(g_caches.TakeMarked(), nullptr);
}

TEST_F(ThreadCacheTest, ThreadsThatComeAndGoNeedNoMoreMetadata) {
  const auto RunThread = [] {
    std::thread([] {
      for (SizeClass c = 1; c < kSizeClasses; c += 2) Free(Allocate(20, ClassBytes(c)));
    }).join();
  };
  for (int i = 0; i < 4; ++i) RunThread();
  const size_t before = Stats().metadata_bytes;

  for (int i = 0; i < 200; ++i) RunThread();

  // A superblock more has its tables; but no thread leaves anything behind.
  EXPECT_LE(Stats().metadata_bytes, before + 512 * kKiB);
}

TEST_F(ThreadCacheTest, BlocksOfAnEndedThreadLiveOn) {
  std::vector<void*> blocks;
  std::thread([&] {
    blocks = Allocate(300, 200);
    for (void* block : blocks) FillPattern(block, 200, KeyOfAddress(block));
  }).join();

  const std::vector<void*> others = Allocate(300, 200);
  for (void* block : others) FillPattern(block, 200, 1);

  for (void* block : blocks) EXPECT_EQ(FindDamage(block, 200, KeyOfAddress(block)), kIntact);
  Free(blocks);
  Free(others);
}

// What a late destructor of another library does: after the cache of its thread has ended.
void AllocateLate(void* done) {
  std::vector<void*> blocks = {cma_malloc(64), cma_malloc(5000), cma_malloc(100'000),
                               cma_malloc(3'000'000), cma_calloc(10, 10)};
  for (void*& block : blocks) {
    if (block == nullptr) return;
    FillPattern(block, 64, KeyOfAddress(block));
    if (FindDamage(block, 64, KeyOfAddress(block)) != kIntact) return;
    block = cma_realloc(block, 128);
  }
  for (void* block : blocks) cma_free(block);
  *static_cast<bool*>(done) = true;
}

TEST_F(ThreadCacheTest, AThreadPastItsCacheStillAllocatesAndFrees) {
  cma_free(cma_malloc(16));  // cma's own key is made before the other one, and its destructor first
  pthread_key_t key;
  ASSERT_EQ(pthread_key_create(&key, AllocateLate), 0);
  const cma_stats before = Stats();
  bool done = false;

  std::thread([&] {
    cma_free(cma_malloc(64));
    pthread_setspecific(key, &done);
  }).join();

  EXPECT_TRUE(done);
  EXPECT_EQ(Stats().threads, before.threads);
  EXPECT_EQ(Stats().live_bytes, before.live_bytes);
  pthread_key_delete(key);
}

TEST_F(ThreadCacheTest, BlocksFreedByAnotherThreadComeHome) {
  std::vector<void*> blocks;
  for (SizeClass c = 1; c < kSizeClasses; c += 4) {
    for (void* block : Allocate(40, ClassBytes(c))) blocks.push_back(block);
  }
  const size_t live = Stats().live_bytes;

  std::thread([&] { Free(blocks); }).join();
  ThreadCache::FlushCurrent();

  EXPECT_LT(Stats().live_bytes, live);
  EXPECT_EQ(
      Stats().live_bytes +
          [&] {
            size_t bytes = 0;
            for (SizeClass c = 1; c < kSizeClasses; c += 4) bytes += 40 * ClassBytes(c);
            return bytes;
          }(),
      live);
}

}  // namespace
}  // namespace cma
