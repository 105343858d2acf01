#include "cache/spare_runs.h"

#include <gtest/gtest.h>
#include <string.h>

#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "cache/list_upkeep.h"
#include "front/allocate.h"

namespace cma {
namespace {

constexpr size_t kBytes = 100 * kKiB;

class SpareRunsTest : public testing::Test {
 protected:
  static constexpr uintptr_t kRun = uintptr_t{1} << 30;

  // As who frees one does.
  size_t Add(uintptr_t run, size_t bytes) {
    size_t displaced = 0;
    while (spares_.TakeOldestFor(bytes) != 0) ++displaced;
    spares_.Add(run, bytes);
    return displaced;
  }

  SpareRuns spares_;
};

TEST_F(SpareRunsTest, OneIsTakenForWhatItWasCutForAndLittleLess) {
  Add(kRun, kBytes);

  EXPECT_EQ(spares_.Take(kBytes + kLargeStep, 64), 0u);
  EXPECT_EQ(spares_.Take(kBytes - kSlotBytes, 64), 0u);
  EXPECT_EQ(spares_.Take(kBytes - kLargeStep, 64), kRun);
  EXPECT_EQ(spares_.Take(kBytes, 64), 0u);
}

TEST_F(SpareRunsTest, OneIsTakenWhereItIsAligned) {
  Add(kRun + 4096, kBytes);

  EXPECT_EQ(spares_.Take(kBytes, 8192), 0u);
  EXPECT_EQ(spares_.Take(kBytes, 4096), kRun + 4096);
}

TEST_F(SpareRunsTest, OneIsWantedOnceItsLengthWasMissedTwice) {
  EXPECT_FALSE(spares_.IsWanted(kBytes));
  EXPECT_EQ(spares_.Take(kBytes, 64), 0u);
  EXPECT_FALSE(spares_.IsWanted(kBytes));
  EXPECT_EQ(spares_.Take(kBytes, 64), 0u);

  EXPECT_TRUE(spares_.IsWanted(kBytes));
  EXPECT_TRUE(spares_.IsWanted(kBytes + kSlotBytes - 1)) << "a run may be longer";
  EXPECT_FALSE(spares_.IsWanted(kBytes - 1));
  EXPECT_FALSE(spares_.IsWanted(kBytes + kSlotBytes));
}

TEST_F(SpareRunsTest, AWorkingSetOfRandomLengthsIsNotWanted) {
  for (size_t bytes = 40 * kKiB; bytes <= kBytes; bytes += kLargeStep) {
    EXPECT_EQ(spares_.Take(bytes, 64), 0u);
    EXPECT_FALSE(spares_.IsWanted(bytes));
  }
}

TEST_F(SpareRunsTest, TheOldestMakeRoomForBytesAndForNumbers) {
  EXPECT_EQ(Add(kRun, kBytes), 0u);
  EXPECT_EQ(Add(2 * kRun, kBytes), 0u);
  EXPECT_EQ(Add(3 * kRun, kBytes), 1u) << "256 KiB in all";
  EXPECT_FALSE(spares_.Holds(kRun));
  EXPECT_TRUE(spares_.Holds(2 * kRun));
  EXPECT_TRUE(spares_.Holds(3 * kRun));
  EXPECT_EQ(spares_.all_bytes(), 2 * kBytes);

  for (uintptr_t run = 4; run < 8; ++run) Add(run * kRun, 40 * kKiB);
  EXPECT_EQ(spares_.Count(), 4u);
  for (uintptr_t run = 4; run < 8; ++run) EXPECT_TRUE(spares_.Holds(run * kRun));
}

TEST_F(SpareRunsTest, ThoseThatServeNobodyAreStale) {
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(spares_.Take(40 * kKiB + i * kLargeStep, 64), 0u);
  EXPECT_FALSE(spares_.AreStale());
  Add(kRun, kBytes);
  EXPECT_FALSE(spares_.AreStale()) << "it has had no time";
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(spares_.Take(40 * kKiB + i * kLargeStep, 64), 0u);
  EXPECT_TRUE(spares_.AreStale());

  EXPECT_EQ(spares_.Take(kBytes, 64), kRun);

  Add(kRun, kBytes);
  EXPECT_FALSE(spares_.AreStale());
  EXPECT_TRUE(spares_.TestAndClearUsed());
  EXPECT_FALSE(spares_.TestAndClearUsed());
}

// With the heap of the process.
class KeptRunTest : public testing::Test {
 protected:
  KeptRunTest() {
    for (int i = 0; i < 3; ++i) cma_free(block_ = memset(cma_malloc(kBytes), 1, kBytes));
    EXPECT_EQ(t_cache->spares.all_bytes(), kBytes);
  }
  ~KeptRunTest() override { ThreadCache::FlushCurrent(); }

  static cma_stats Stats() {
    cma_stats stats;
    cma_get_stats(&stats);
    return stats;
  }

  void* block_ = nullptr;
};

TEST_F(KeptRunTest, ItIsTheNextOfItsLengthAndDoesNotCarryTheKey) {
  void* const again = cma_malloc(kBytes);

  EXPECT_EQ(again, block_);
  EXPECT_NE(KeyOf(AddressOf(again)), AddressMap::FreeKey());
  EXPECT_EQ(cma_malloc_usable_size(again), GoodSize(kBytes));
  cma_free(again);
}

TEST_F(KeptRunTest, CallocClearsIt) {
  auto* const again = static_cast<unsigned char*>(cma_calloc(1, kBytes));

  ASSERT_EQ(again, block_);
  size_t nonzero = 0;
  for (size_t i = 0; i < kBytes; ++i) nonzero += again[i] != 0 ? 1 : 0;
  EXPECT_EQ(nonzero, 0u);
  cma_free(again);
}

TEST_F(KeptRunTest, ItCountsAsCachedAndNotAsLive) {
  const cma_stats kept = Stats();
  ThreadCache::FlushCurrent();
  const cma_stats given = Stats();

  EXPECT_EQ(kept.live_bytes, given.live_bytes);
  EXPECT_GE(kept.thread_cached_bytes, given.thread_cached_bytes + kBytes);
}

TEST_F(KeptRunTest, ASweepGivesItBackUnlessItWasUsed) {
  SweepLists(t_cache);
  EXPECT_EQ(t_cache->spares.all_bytes(), kBytes);

  SweepLists(t_cache);
  EXPECT_EQ(t_cache->spares.all_bytes(), 0u);
}

TEST_F(KeptRunTest, OtherLengthsThatMissDriveItOut) {
  std::vector<void*> blocks;
  for (size_t i = 0; i < 20; ++i) blocks.push_back(cma_malloc(40 * kKiB + i * kLargeStep));

  EXPECT_EQ(t_cache->spares.all_bytes(), 0u);
  for (void* block : blocks) cma_free(block);
}

TEST_F(KeptRunTest, AnIdleThreadKeepsNone) {
  cma_thread_idle();

  cma_free(cma_malloc(16));
  EXPECT_EQ(t_cache->spares.all_bytes(), 0u);
}

// What another arena lent waits here too, and goes home from here.
TEST_F(KeptRunTest, ARunOfAnotherArenaIsKeptAndGoesHome) {
  ThreadCache::FlushCurrent();
  Arena* const other = g_heap.arenas.At((t_cache->owner + 1u) % kMaxArenas);
  const auto lent = [other] {
    LockGuard guard(other->lock());
    return other->Stats().run_lent_bytes;
  };
  std::byte* const run = other->TakeRun(kBytes, 64, nullptr);
  ASSERT_NE(run, nullptr);

  cma_free(run);

  EXPECT_TRUE(t_cache->spares.Holds(AddressOf(run)));
  EXPECT_EQ(lent(), kBytes);
  ThreadCache::FlushCurrent();
  EXPECT_EQ(lent(), 0u);
}

}  // namespace
}  // namespace cma
