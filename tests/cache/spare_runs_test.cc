#include "cache/spare_runs.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "cache/list_upkeep.h"
#include "front/allocate.h"
#include "options/options.h"
#include "support/one_cpu.h"

namespace cma {
namespace {

// Before the first allocation. The thread has one of four arenas however many CPUs there are, and
// what waits is left alone however long a test pauses.
const bool g_prepared =
    cma_test::StayOnThisCpu() &&
    setenv("CMA_OPTIONS", "arenas=4,background_thread=0,release_delay_ms=1h", 1) == 0;

constexpr size_t kBytes = 100 * kKiB;
constexpr size_t kLongBytes = 600 * kKiB;

class SpareRunsTest : public testing::Test {
 protected:
  static constexpr uintptr_t kRun = uintptr_t{1} << 30;

  SpareRunsTest() { spares_.Open(memory_); }

  void Miss(size_t bytes) {
    EXPECT_EQ(spares_.Take(bytes), 0u);
    spares_.NoteMissed(bytes);
  }

  uintptr_t memory_[SpareRuns::kTableWords] = {};
  SpareRuns spares_;
};

TEST_F(SpareRunsTest, OneIsTakenForWhatItWasCutForAndALittleLess) {
  spares_.Add(kRun, kBytes);

  EXPECT_EQ(spares_.Take(kBytes + kLargeStep), 0u);
  EXPECT_EQ(spares_.Take(kBytes * 3 / 5), 0u);
  EXPECT_EQ(spares_.Take(kBytes * 15 / 16), kRun);
  EXPECT_EQ(spares_.Take(kBytes), 0u);
}

// The longest that a request may get, and the shortest, at every length: longer by a half for
// requests of up to 160 KiB, and by five sixteenths for others.
TEST_F(SpareRunsTest, NoneIsShorterOrMuchLonger) {
  constexpr size_t kShort = 160 * kKiB;
  for (size_t run = kMediumMax + kLargeStep; run <= kLargeMax; run += kLargeStep) {
    spares_.Add(kRun, run);
    EXPECT_EQ(spares_.Take(std::min(run + kLargeStep, kLargeMax + kLargeStep)), 0u) << run;
    for (const bool is_short : {true, false}) {
      const size_t least = is_short ? run * 2 / 3 : run * 16 / 21;
      const size_t too_short = least - kLargeStep;
      const size_t enough = least + kLargeStep;
      const bool is_limit = is_short ? enough <= kShort : too_short > kShort;
      if (!is_limit || too_short <= kMediumMax) continue;
      EXPECT_EQ(spares_.Take(too_short), 0u) << run;
      EXPECT_EQ(spares_.Take(enough), kRun) << run;
      spares_.Add(kRun, run);
    }
    ASSERT_EQ(spares_.Take(run), kRun) << run;
  }
  EXPECT_EQ(spares_.Count(), 0u);
}

TEST_F(SpareRunsTest, TheShortestClassThatServesIsTakenFirst) {
  spares_.Add(kRun, kBytes + kBytes / 16);
  spares_.Add(2 * kRun, kBytes);
  spares_.Add(3 * kRun, kBytes);

  EXPECT_EQ(spares_.Take(kBytes), 3 * kRun) << "the one that was freed last";
  EXPECT_EQ(spares_.Take(kBytes), 2 * kRun);
  EXPECT_EQ(spares_.Take(kBytes), kRun);
}

TEST_F(SpareRunsTest, OneIsTakenWhereItIsAligned) {
  spares_.Add(kRun + 4096, kBytes);

  EXPECT_EQ(spares_.TakeAligned(kBytes, 8192), 0u);
  EXPECT_EQ(spares_.TakeAligned(kBytes, 4096), kRun + 4096);
}

TEST_F(SpareRunsTest, OneIsWantedOnceItsClassWasMissedTwice) {
  EXPECT_FALSE(spares_.IsWanted(kBytes));
  Miss(kBytes);
  EXPECT_FALSE(spares_.IsWanted(kBytes));
  Miss(kBytes + kLargeStep);

  EXPECT_TRUE(spares_.IsWanted(kBytes));
  EXPECT_TRUE(spares_.IsWanted(kBytes + kBytes / 16)) << "it would have served";
  EXPECT_FALSE(spares_.IsWanted(kBytes * 7 / 8)) << "it is too short";
  EXPECT_FALSE(spares_.IsWanted(kBytes * 3 / 2)) << "it is too long";
}

TEST_F(SpareRunsTest, AClassThatIsNoLongerMissedIsNoLongerWanted) {
  for (int i = 0; i < 2; ++i) Miss(kBytes);
  for (int i = 0; i < 64; ++i) Miss(40 * kKiB);
  EXPECT_TRUE(spares_.IsWanted(kBytes)) << "it was, in the period before";
  for (int i = 0; i < 64; ++i) Miss(40 * kKiB);

  EXPECT_FALSE(spares_.IsWanted(kBytes));
}

TEST_F(SpareRunsTest, ALongOneIsWantedIfTheLastTwoLongRequestsWereForItsLength) {
  EXPECT_FALSE(spares_.IsWanted(kLongBytes));
  for (const size_t between : {300 * kKiB, kLongBytes - kLargeStep}) {
    Miss(kLongBytes);
    Miss(between);
    Miss(kLongBytes);
    EXPECT_FALSE(spares_.IsWanted(kLongBytes)) << between;
  }
  Miss(kBytes);
  Miss(kLongBytes);

  EXPECT_TRUE(spares_.IsWanted(kLongBytes)) << "the one between was short";
  EXPECT_TRUE(spares_.IsWanted(kLongBytes + kSlotBytes)) << "it would serve";
  EXPECT_FALSE(spares_.IsWanted(kLongBytes - kLargeStep));
  EXPECT_FALSE(spares_.IsWanted(300 * kKiB));
}

// The longest that is short, in a run that was cut longer than was asked for.
TEST_F(SpareRunsTest, ARunALittleLongerThanWhatIsShortIsWantedLikeIt) {
  constexpr size_t kShort = 256 * kKiB;
  Miss(kShort);
  Miss(kShort);

  EXPECT_TRUE(spares_.IsWanted(kShort));
  EXPECT_TRUE(spares_.IsWanted(kShort + kSlotBytes - kGranuleBytes));
}

TEST_F(SpareRunsTest, BytesAndNumberAreLimited) {
  const size_t most = SpareRuns::kFreeBytes / kBytes;
  for (size_t i = 1; i <= most; ++i) {
    ASSERT_TRUE(spares_.HasRoomFor(kBytes));
    spares_.Add(i * kRun, kBytes);
  }
  EXPECT_FALSE(spares_.HasRoomFor(kBytes));

  spares_.Allow(SpareRuns::kMostOfAll - SpareRuns::kFreeBytes);
  size_t count = most;
  for (; spares_.HasRoomFor(kMediumMax + kLargeStep); ++count) {
    spares_.Add((count + 1) * kRun, kMediumMax + kLargeStep);
  }
  EXPECT_EQ(count, 48u);
  EXPECT_EQ(spares_.Count(), count);
  EXPECT_EQ(spares_.AllBytes(), most * kBytes + (count - most) * (kMediumMax + kLargeStep));
}

TEST_F(SpareRunsTest, OneOfEachClassGoesInTurn) {
  for (uintptr_t i = 1; i <= 3; ++i) spares_.Add(i * kRun, 40 * kKiB);
  spares_.Add(4 * kRun, kBytes);

  bool long_one_is_gone = false;
  for (int i = 0; i < 2; ++i) long_one_is_gone |= spares_.TakeAny() == 4 * kRun;
  EXPECT_TRUE(long_one_is_gone);
  for (int i = 0; i < 2; ++i) EXPECT_NE(spares_.TakeAny(), 0u);
  EXPECT_EQ(spares_.TakeAny(), 0u);
  EXPECT_EQ(spares_.AllBytes(), 0u);
}

TEST_F(SpareRunsTest, ThoseThatServeNobodyAreStale) {
  for (size_t i = 0; i < 100; ++i) Miss(40 * kKiB + i * kLargeStep);
  EXPECT_FALSE(spares_.AreStale()) << "there is none";
  spares_.Add(kRun, kBytes);
  Miss(40 * kKiB);
  EXPECT_FALSE(spares_.AreStale()) << "it has had no time";
  EXPECT_EQ(spares_.Take(kBytes), kRun);
  spares_.Add(kRun, kBytes);

  for (size_t i = 0; i < 100; ++i) Miss(40 * kKiB + i * kLargeStep);
  EXPECT_TRUE(spares_.AreStale());

  EXPECT_TRUE(spares_.TestAndClearUsed());
  EXPECT_FALSE(spares_.TestAndClearUsed());
}

TEST_F(SpareRunsTest, AStolenOneIsNobodysAndLeavesItsRoom) {
  spares_.Add(kRun, kBytes);
  spares_.Add(2 * kRun, kBytes);
  EXPECT_FALSE(spares_.HasRoomFor(kBytes));

  std::vector<uintptr_t> stolen;
  spares_.StealAll([&](uintptr_t run) { stolen.push_back(run); });

  EXPECT_EQ(stolen.size(), 2u);
  EXPECT_EQ(spares_.Count(), 0u);
  EXPECT_EQ(spares_.AllBytes(), 0u);
  EXPECT_FALSE(spares_.Holds(kRun));
  EXPECT_EQ(spares_.Take(kBytes), 0u);
  EXPECT_FALSE(spares_.TestAndClearUsed()) << "it served nobody";
  EXPECT_EQ(spares_.TakeAny(), 0u);
  EXPECT_TRUE(spares_.HasRoomFor(kBytes));
}

TEST_F(SpareRunsTest, StolenOnesAreDroppedAtOnceAndOthersStay) {
  spares_.Add(kRun, kBytes);
  spares_.StealAll([](uintptr_t) {});
  spares_.Add(2 * kRun, kBytes + kBytes / 4);
  EXPECT_FALSE(spares_.HasRoomFor(kBytes));

  spares_.DropStolen();

  EXPECT_TRUE(spares_.HasRoomFor(kBytes));
  EXPECT_EQ(spares_.AllBytes(), kBytes + kBytes / 4);
  EXPECT_EQ(spares_.Take(kBytes + kBytes / 4), 2 * kRun);
}

TEST_F(SpareRunsTest, OnlyWhatWasNotUsedIsMarked) {
  using Mark = SpareRuns::Mark;
  EXPECT_EQ(spares_.MarkIfUnused(false), Mark::kNone);
  spares_.Add(kRun, kBytes);
  EXPECT_EQ(spares_.Take(kBytes), kRun);
  spares_.Add(kRun, kBytes);
  EXPECT_EQ(spares_.MarkIfUnused(false), Mark::kUsed);
  EXPECT_FALSE(spares_.TestAndClearMarked());

  EXPECT_EQ(spares_.MarkIfUnused(false), Mark::kMarked);
  EXPECT_TRUE(spares_.TestAndClearMarked());
  EXPECT_FALSE(spares_.TestAndClearMarked());

  EXPECT_EQ(spares_.Take(kBytes), kRun);
  spares_.Add(kRun, kBytes);
  EXPECT_EQ(spares_.MarkIfUnused(true), Mark::kMarked);
  EXPECT_EQ(spares_.MarkIfUnused(false), Mark::kMarked) << "until they are taken";
  EXPECT_TRUE(spares_.TestAndClearMarked());
  EXPECT_FALSE(spares_.TestAndClearMarked());
}

// One thread takes and adds, another steals: each run is had by one at a time.
TEST_F(SpareRunsTest, AThiefAndTheOwnerNeverGetTheSameRun) {
  constexpr size_t kRuns = 2;
  std::atomic<int> holders[kRuns + 1] = {};
  std::atomic<uintptr_t> stolen{0};
  std::atomic<bool> is_over{false};
  const auto have = [&](uintptr_t run) {
    EXPECT_EQ(holders[run / kRun].fetch_add(1, std::memory_order_relaxed), 0);
    holders[run / kRun].fetch_sub(1, std::memory_order_relaxed);
  };
  std::thread thief([&] {
    while (!is_over.load(std::memory_order_relaxed)) {
      spares_.StealAll([&](uintptr_t run) {
        have(run);
        // One at a time goes back to the owner.
        while (stolen.load(std::memory_order_acquire) != 0) std::this_thread::yield();
        stolen.store(run, std::memory_order_release);
      });
    }
  });
  std::vector<uintptr_t> own = {kRun, 2 * kRun};
  for (int i = 0; i < 20'000; ++i) {
    while (!own.empty() && spares_.HasRoomFor(kBytes)) {
      spares_.Add(own.back(), kBytes);
      own.pop_back();
    }
    if (const uintptr_t run = spares_.Take(kBytes); run != 0) {
      have(run);
      own.push_back(run);
    }
    if (const uintptr_t run = stolen.load(std::memory_order_acquire); run != 0) {
      own.push_back(run);
      stolen.store(0, std::memory_order_release);
    }
  }
  is_over.store(true, std::memory_order_relaxed);
  std::thread taker([&] {
    while (own.size() + spares_.Count() < kRuns) {
      if (const uintptr_t run = stolen.exchange(0, std::memory_order_acq_rel); run != 0) {
        own.push_back(run);
      }
      std::this_thread::yield();
    }
  });
  thief.join();
  taker.join();
  const size_t all = own.size() + spares_.Count() + (stolen.load() != 0 ? 1 : 0);
  EXPECT_EQ(all, kRuns);
}

// With the heap of the process.
class ProcessHeapTest : public testing::Test {
 protected:
  ProcessHeapTest() {
    EXPECT_TRUE(g_prepared);
    cma_free(cma_malloc(16));
    // Nor does it look over its lists because time has passed.
    t_cache->swept = std::numeric_limits<Milliseconds>::max() / 2;
  }

  // One that is not this thread's.
  static Arena* OtherArena() {
    return g_heap.arenas.At((t_cache->owner + 1u) % g_heap.arenas.count());
  }
};

class KeptRunTest : public ProcessHeapTest {
 protected:
  KeptRunTest() {
    for (int i = 0; i < 3; ++i) cma_free(block_ = memset(cma_malloc(kBytes), 1, kBytes));
    EXPECT_EQ(t_cache->spares.AllBytes(), kBytes);
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

TEST_F(KeptRunTest, ItServesALittleLess) {
  void* const again = cma_malloc(kBytes - 5 * kKiB);

  EXPECT_EQ(again, block_);
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
  EXPECT_EQ(t_cache->spares.AllBytes(), kBytes);

  SweepLists(t_cache);
  EXPECT_EQ(t_cache->spares.AllBytes(), 0u);
}

TEST_F(KeptRunTest, OtherLengthsThatMissDriveItOut) {
  std::vector<void*> blocks;
  for (size_t i = 0; i < 40; ++i) blocks.push_back(cma_malloc(40 * kKiB + i * kLargeStep));

  EXPECT_EQ(t_cache->spares.AllBytes(), 0u);
  for (void* block : blocks) cma_free(block);
}

TEST_F(KeptRunTest, MoreThanEachThreadMayKeepIsClaimedAndLaterNoLonger) {
  const size_t grown = t_cache->grown_bytes;
  std::vector<void*> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(cma_malloc(kBytes));
  for (void* block : blocks) cma_free(block);

  EXPECT_EQ(t_cache->spares.AllBytes(), 8 * kBytes);
  EXPECT_GT(t_cache->grown_bytes, grown);
  GiveSpares(t_cache);
  EXPECT_EQ(t_cache->spares.AllBytes(), 0u);
  EXPECT_EQ(t_cache->grown_bytes, grown);
}

TEST_F(KeptRunTest, MoreMayWaitWhereTheArenaHasLentMuch) {
  const auto most = [](size_t lent) {
    ThreadCache::FlushCurrent();
    std::vector<void*> lasting(lent / kLargeMax);
    for (void*& block : lasting) block = cma_malloc(kLargeMax);
    std::vector<void*> blocks(30);
    for (void*& block : blocks) block = cma_malloc(kBytes);
    for (void* block : blocks) cma_free(block);
    const size_t waiting = t_cache->spares.AllBytes();
    for (void* block : lasting) cma_free(block);
    return waiting;
  };
  EXPECT_EQ(most(0), SpareRuns::kAllBytes / kBytes * kBytes);
  EXPECT_EQ(most(8 * SpareRuns::kMostOfAll), SpareRuns::kMostOfAll / kBytes * kBytes);
}

// What two of them make together is what the arena lacks.
class ScarceRunTest : public ProcessHeapTest {
 protected:
  static constexpr size_t kBoth = 2 * kBytes;

  ScarceRunTest() {
    ThreadCache::FlushCurrent();
    arena_ = t_cache->arena;
    std::byte* const room = arena_->TakeRun(kBoth, kGranuleBytes, nullptr);
    for (size_t bytes = kLargeMax; bytes > kMediumMax; bytes -= kLargeStep) {
      while (std::byte* run = arena_->TakeRun(bytes, kGranuleBytes, nullptr, Growth::kNone)) {
        fill_.push_back(run);
      }
    }
    cma_free(room);
    ThreadCache::FlushCurrent();
    for (int i = 0; i < 40; ++i) ThreadCache::HomeArena(t_cache);  // it gave none back of late
    superblocks_ = Superblocks();
  }
  ~ScarceRunTest() override {
    for (std::byte* run : fill_) cma_free(run);
    ThreadCache::FlushCurrent();
  }

  size_t Superblocks() {
    LockGuard guard(arena_->lock());
    return arena_->SuperblockBytes() / kSuperblockBytes;
  }
  size_t Grown() { return Superblocks() - superblocks_; }

  // Two that wait, in all the room there is.
  void LetTwoWait() {
    void* const two[] = {cma_malloc(kBytes), cma_malloc(kBytes)};
    for (void* run : two) cma_free(run);
    EXPECT_EQ(t_cache->spares.AllBytes(), kBoth);
    EXPECT_EQ(Grown(), 0u);
  }

  Arena* arena_ = nullptr;
  std::vector<std::byte*> fill_;
  size_t superblocks_ = 0;
};

TEST_F(ScarceRunTest, ThoseThatWaitGoHomeBeforeTheArenaGrows) {
  LetTwoWait();

  void* const served = cma_malloc(kBoth);

  EXPECT_EQ(t_cache->spares.AllBytes(), 0u);
  EXPECT_EQ(Grown(), 0u);
  cma_free(served);
}

TEST_F(ScarceRunTest, TheArenaGrowsIfTheyHaveJustGoneHomeBefore) {
  LetTwoWait();
  cma_free(cma_malloc(kBoth));
  GiveSpares(t_cache);  // it may have been wanted
  LetTwoWait();

  void* const served = cma_malloc(kBoth);

  EXPECT_EQ(t_cache->spares.AllBytes(), kBoth);
  EXPECT_EQ(Grown(), 1u);
  cma_free(served);
}

TEST_F(KeptRunTest, NoneGoesForOneThatCannotStay) {
  const uint64_t budget = g_options.cache_budget_kib;
  g_options.cache_budget_kib = 0;
  void* const others[] = {cma_malloc(kLongBytes), cma_malloc(kLongBytes)};
  for (void* other : others) cma_free(other);

  EXPECT_EQ(t_cache->spares.AllBytes(), kBytes);
  g_options.cache_budget_kib = budget;
}

// Large runs may claim half of what a thread may.
TEST_F(KeptRunTest, ListsHaveTheirPartOfTheBudget) {
  const uint64_t budget = g_options.cache_budget_kib;
  ThreadCache::FlushCurrent();
  g_options.cache_budget_kib = 8 * 1024;  // a thread's share is 1 MiB
  std::vector<void*> blocks;
  for (int i = 0; i < 12; ++i) blocks.push_back(cma_malloc(kBytes));
  for (void* block : blocks) cma_free(block);

  EXPECT_EQ(t_cache->spares.claimed(), 512 * kKiB);
  EXPECT_EQ(t_cache->spares.AllBytes(), 7 * kBytes);
  g_options.cache_budget_kib = budget;
}

TEST_F(KeptRunTest, AnIdleThreadKeepsNone) {
  cma_thread_idle();

  cma_free(cma_malloc(16));
  EXPECT_EQ(t_cache->spares.AllBytes(), 0u);
}

// The thread does not come: others take what it keeps, and it notices when it does.
TEST_F(KeptRunTest, ATrimByAnotherThreadTakesIt) {
  std::thread([] { cma_malloc_trim(0); }).join();

  EXPECT_EQ(t_cache->spares.AllBytes(), 0u);
  void* const again = cma_malloc(kBytes);
  EXPECT_NE(again, nullptr);
  cma_free(again);
  EXPECT_EQ(t_cache->spares.AllBytes(), kBytes);
}

// What another arena lent waits here too, and goes home from here.
TEST_F(KeptRunTest, ARunOfAnotherArenaIsKeptAndGoesHome) {
  ThreadCache::FlushCurrent();
  Arena* const other = OtherArena();
  const auto lent = [other] {
    LockGuard guard(other->lock());
    return other->Stats().run_lent_bytes;
  };
  const size_t before = lent();
  std::byte* const run = other->TakeRun(kBytes, 64, nullptr);
  ASSERT_NE(run, nullptr);
  memset(run, 1, kBytes);

  cma_free(run);

  EXPECT_TRUE(t_cache->spares.Holds(AddressOf(run)));
  EXPECT_EQ(lent(), before + kBytes);
  ThreadCache::FlushCurrent();
  EXPECT_EQ(lent(), before);
}

// Runs that other threads have freed, and posted to the arena of this one.
class PostedRunTest : public ProcessHeapTest {
 protected:
  static constexpr size_t kShort = 60 * kKiB;

  PostedRunTest() {
    ThreadCache::FlushCurrent();
    for (void*& run : runs_) run = memset(cma_malloc(kShort), 1, kShort);
  }
  ~PostedRunTest() override { ThreadCache::FlushCurrent(); }

  static void FreeElsewhere(std::vector<void*> runs) {
    std::thread([runs] {
      for (void* run : runs) {
        cma_free(run);
        t_cache->outbox.PostAll(g_heap.arenas);
      }
    }).join();
  }
  static void WantRuns() {
    for (int i = 0; i < 2; ++i) t_cache->spares.NoteMissed(kShort);
  }

  std::vector<void*> runs_{3};
};
using PostedRunDeathTest = PostedRunTest;

TEST_F(PostedRunTest, TheyWaitWithTheThreadThatWantsThem) {
  FreeElsewhere(runs_);
  ASSERT_TRUE(t_cache->arena->HasPost());
  WantRuns();

  void* const again = cma_malloc(kShort);

  EXPECT_EQ(std::count(runs_.begin(), runs_.end(), again), 1);
  EXPECT_NE(KeyOf(AddressOf(again)), AddressMap::FreeKey());
  EXPECT_EQ(t_cache->spares.Count(), runs_.size() - 1);
  EXPECT_TRUE(IsFull(t_cache->lists[0])) << "nothing is freed into it";
  cma_free(again);
}

TEST_F(PostedRunTest, TheyGoToTheArenaIfNobodyWantsThem) {
  FreeElsewhere(runs_);
  ASSERT_TRUE(t_cache->arena->HasPost());
  for (int i = 0; i < 200; ++i) t_cache->spares.NoteMissed(kMediumMax + kLargeStep);

  void* const other = cma_malloc(500 * kKiB);

  EXPECT_FALSE(t_cache->arena->HasPost());
  EXPECT_EQ(t_cache->spares.Count(), 0u);
  cma_free(other);
}

TEST_F(PostedRunDeathTest, OneThatComesHomeTwiceIsReported) {
  EXPECT_EXIT(
      {
        for (int i = 0; i < 2; ++i) FreeElsewhere({runs_[0]});
        WantRuns();
        static_cast<void>(cma_malloc(kShort));
      },
      testing::KilledBySignal(SIGABRT), "^cma: double free of");
  for (void* run : runs_) cma_free(run);
}

// A thread that frees what it does not ask for sends it home, a few at a time.
class ForeignRunTest : public ProcessHeapTest {
 protected:
  static constexpr size_t kShort = 60 * kKiB;

  ForeignRunTest() {
    GiveSpares(t_cache);
    for (int i = 0; i < 200; ++i) t_cache->spares.NoteMissed(kMediumMax + kLargeStep);
    other_ = OtherArena();
    run_ = other_->TakeRun(kShort, 64, nullptr);
    memset(run_, 1, kShort);
  }
  ~ForeignRunTest() override { Deliver(); }

  // What waits here, and in the inbox, is taken in.
  void Deliver() {
    ThreadCache::FlushCurrent();
    LockGuard guard(other_->lock());
    other_->DrainInbox();
  }
  static void WantRuns() {
    for (int i = 0; i < 2; ++i) t_cache->spares.NoteMissed(kShort);
  }

  Arena* other_ = nullptr;
  std::byte* run_ = nullptr;
};
using ForeignRunDeathTest = ForeignRunTest;

TEST_F(ForeignRunTest, OneThatIsNotWantedGoesHomeByTheOutbox) {
  cma_free(run_);

  EXPECT_EQ(t_cache->outbox.bytes(), kShort);
  EXPECT_EQ(run_[8], std::byte{1}) << "it is not marked";
  Deliver();
  LockGuard guard(other_->lock());
  EXPECT_EQ(other_->Stats().run_lent_bytes, 0u);
}

TEST_F(ForeignRunDeathTest, OneThatWaitsInAnotherThreadTooIsReportedByItsArena) {
  cma_free(run_);

  EXPECT_EXIT(
      {
        std::thread([&] {
          cma_free(cma_malloc(16));
          WantRuns();
          cma_free(run_);
          Deliver();
        }).join();
        Deliver();
      },
      testing::KilledBySignal(SIGABRT), "^cma: double free of");
}

TEST_F(ForeignRunDeathTest, OneThatIsWantedTheSecondTimeIsReportedByItsArena) {
  EXPECT_EXIT(
      {
        cma_free(run_);
        t_cache->outbox.PostAll(g_heap.arenas);
        WantRuns();
        cma_free(run_);
        Deliver();
      },
      testing::KilledBySignal(SIGABRT), "^cma: double free of");
  cma_free(run_);  // for the first time here
}

}  // namespace
}  // namespace cma
