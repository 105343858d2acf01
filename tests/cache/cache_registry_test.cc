#include "cache/cache_registry.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "support/heap_fixture.h"

namespace cma {
namespace {

class CacheRegistryTest : public cma_test::HeapFixture {
 protected:
  CacheRegistry registry_;
  ThreadCache one_;
  ThreadCache two_;
  ThreadCache three_;
};

TEST_F(CacheRegistryTest, LiveCachesAreCounted) {
  EXPECT_EQ(registry_.Count().caches, 0u);

  registry_.Add(&one_);
  registry_.Add(&two_);
  EXPECT_EQ(registry_.Count().caches, 2u);
  registry_.Remove(&one_);

  EXPECT_EQ(registry_.Count().caches, 1u);
  EXPECT_EQ(registry_.Count().bytes, 0u);
}

TEST_F(CacheRegistryTest, TheBytesOfAllListsAreCounted) {
  struct alignas(16) Block {
    uint64_t words[2];
  } blocks[3];
  uintptr_t slots[] = {kBottomMark, 0, 0, 0, kFullMark};
  const SizeClass c = ClassOf(48);
  two_.backing[c] = ListArray(slots, 3);
  two_.lists[c] = slots + 1;
  for (Block& block : blocks) Push(two_.lists.data(), c, AddressOf(&block), 1);
  registry_.Add(&one_);
  registry_.Add(&two_);

  EXPECT_EQ(registry_.Count().bytes, 3 * 48u);
}

TEST_F(CacheRegistryTest, ABlockIsHeldWhileItIsInAListOfItsClass) {
  struct alignas(16) Block {
    uint64_t words[2];
  } blocks[2];
  uintptr_t slots[] = {kBottomMark, 0, 0, kFullMark};
  const SizeClass c = ClassOf(48);
  two_.backing[c] = ListArray(slots, 2);
  two_.lists[c] = slots + 1;
  for (Block& block : blocks) Push(two_.lists.data(), c, AddressOf(&block), 1);
  registry_.Add(&one_);
  registry_.Add(&two_);

  EXPECT_TRUE(registry_.Holds(c, AddressOf(&blocks[0])));
  EXPECT_TRUE(registry_.Holds(c, AddressOf(&blocks[1])));
  EXPECT_FALSE(registry_.Holds(c + 1, AddressOf(&blocks[1])));
  Pop(two_.lists.data(), c);
  EXPECT_FALSE(registry_.Holds(c, AddressOf(&blocks[1])));
  registry_.Remove(&two_);
  EXPECT_FALSE(registry_.Holds(c, AddressOf(&blocks[0])));
}

// Caches that wait for another thread, left in the order of their arenas.
class ParkedCachesTest : public CacheRegistryTest {
 protected:
  ParkedCachesTest() {
    size_t index = 0;
    for (ThreadCache* cache : {&one_, &two_, &three_}) {
      cache->SetArena(arenas_.At(index++));
      cache->arena->Join();
      registry_.Add(cache);
      EXPECT_TRUE(registry_.Park(cache, 3));
    }
  }
};

TEST_F(ParkedCachesTest, TheyAreNotLiveAndNobodyHasTheirArenas) {
  EXPECT_EQ(registry_.Count().caches, 0u);
  for (size_t i = 0; i < 3; ++i) EXPECT_FALSE(arenas_.At(i)->HasUsers());
}

TEST_F(ParkedCachesTest, NoMoreWaitThanMay) {
  ThreadCache four;
  four.SetArena(arenas_.At(3));
  four.arena->Join();
  registry_.Add(&four);

  EXPECT_FALSE(registry_.Park(&four, 3));

  EXPECT_EQ(registry_.Count().caches, 1u);
  EXPECT_TRUE(four.arena->HasUsers());
}

TEST_F(ParkedCachesTest, TheOneOfTheCpusArenaIsAdoptedFirstAndThenTheLastThatWasLeft) {
  EXPECT_EQ(registry_.Adopt(arenas_.At(1), true), &two_);
  EXPECT_TRUE(two_.arena->HasUsers());
  EXPECT_EQ(registry_.Count().caches, 1u);
  EXPECT_EQ(registry_.Adopt(arenas_.At(1), true), &three_);
  EXPECT_EQ(registry_.Adopt(arenas_.At(1), true), &one_);
  EXPECT_EQ(registry_.Adopt(arenas_.At(1), true), nullptr);
}

TEST_F(ParkedCachesTest, OneWhoseArenaOthersHaveIsAdoptedOnRequestOnly) {
  for (const ThreadCache* cache : {&one_, &two_, &three_}) cache->arena->Join();

  EXPECT_EQ(registry_.Adopt(arenas_.At(0), true), nullptr);
  EXPECT_EQ(registry_.Adopt(arenas_.At(0), false), &one_);
}

TEST_F(ParkedCachesTest, TheOneThatHasWaitedLongestGoesFirst) {
  EXPECT_EQ(registry_.TakeMarked(), nullptr) << "none is marked";
  registry_.MarkParked();

  EXPECT_EQ(registry_.TakeMarked(), &one_);
  EXPECT_EQ(registry_.TakeMarked(), &two_);
  EXPECT_EQ(registry_.TakeMarked(), &three_);
  EXPECT_EQ(registry_.TakeMarked(), nullptr);
}

TEST_F(ParkedCachesTest, OneThatWasLeftAfterTheMarkStays) {
  EXPECT_EQ(registry_.Adopt(arenas_.At(2), true), &three_);
  registry_.MarkParked();
  EXPECT_TRUE(registry_.Park(&three_, 3));

  EXPECT_EQ(registry_.TakeMarked(), &one_);
  EXPECT_EQ(registry_.TakeMarked(), &two_);
  EXPECT_EQ(registry_.TakeMarked(), nullptr);
}

TEST_F(ParkedCachesTest, OneThatIsAdoptedIsMarkedNoMore) {
  registry_.MarkParked();
  for (int i = 0; i < 3; ++i) EXPECT_NE(registry_.Adopt(arenas_.At(0), true), nullptr);

  EXPECT_TRUE(registry_.Park(&one_, 3));

  EXPECT_EQ(registry_.TakeMarked(), nullptr);
}

TEST_F(ParkedCachesTest, TheirBlocksAreHeldAndCounted) {
  struct alignas(16) Block {
    uint64_t words[2];
  } block;
  uintptr_t slots[] = {kBottomMark, 0, kFullMark};
  const SizeClass c = ClassOf(48);
  two_.backing[c] = ListArray(slots, 1);
  two_.lists[c] = slots + 1;
  Push(two_.lists.data(), c, AddressOf(&block), 1);

  EXPECT_TRUE(registry_.Holds(c, AddressOf(&block)));
  EXPECT_EQ(registry_.Count().bytes, 48u);
}

TEST_F(ParkedCachesTest, InAForksChildTheyStay) {
  ThreadCache survivor;
  registry_.Add(&survivor);

  registry_.LeaveOrphans(&survivor);

  EXPECT_EQ(registry_.TakeMarked(), nullptr);
  EXPECT_EQ(registry_.Adopt(arenas_.At(1), true), &two_);
}

TEST_F(ParkedCachesTest, OrphansGoFirst) {
  ThreadCache orphan;
  registry_.Add(&orphan);
  registry_.LeaveOrphans(nullptr);
  registry_.MarkParked();

  EXPECT_EQ(registry_.TakeMarked(), &orphan);
  EXPECT_EQ(registry_.TakeMarked(), &one_);
}

TEST_F(CacheRegistryTest, ABusyRegistryHoldsNothingForWhoMayNotWait) {
  registry_.Add(&one_);
  uintptr_t memory[SpareRuns::kTableWords] = {};
  one_.spares.Open(memory);
  one_.spares.Add(4096, 64 * kKiB);
  EXPECT_TRUE(registry_.TryHolds(0, 4096));

  registry_.lock().Acquire();
  std::thread([&] { EXPECT_FALSE(registry_.TryHolds(0, 4096)); }).join();

  registry_.lock().Release();
}

// Caches that each have a large run which waits: the first is at `kRun`, the next twice as far, ...
class WaitingRunsTest : public CacheRegistryTest {
 protected:
  static constexpr uintptr_t kRun = uintptr_t{1} << 30;

  struct Memory {
    uintptr_t words[SpareRuns::kTableWords];
  };

  void AddCaches(size_t count) {
    memory_.resize(count);
    caches_ = std::make_unique<ThreadCache[]>(count);
    for (size_t i = 0; i < count; ++i) {
      caches_[i].spares.Open(memory_[i].words);
      caches_[i].spares.Add((i + 1) * kRun, 64 * kKiB);
      registry_.NoteSpares();
      registry_.Add(&caches_[i]);
    }
  }
  size_t GiveAll() {
    size_t calls = 0;
    while (registry_.GiveMarkedSpares([](uintptr_t run) { given_.push_back(run); })) ++calls;
    return calls;
  }
  std::vector<uintptr_t> Given() {
    std::sort(given_.begin(), given_.end());
    return std::exchange(given_, {});
  }
  // What the thread was busy for.
  template <typename F>
  static double SecondsFor(F f) {
    const auto now = [] {
      timespec time;
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    };
    const double start = now();
    f();
    return now() - start;
  }

  std::vector<Memory> memory_;
  std::unique_ptr<ThreadCache[]> caches_;
  static inline std::vector<uintptr_t> given_;
};

TEST_F(WaitingRunsTest, EachCallGivesThoseOfOneCache) {
  AddCaches(3);
  EXPECT_EQ(GiveAll(), 0u) << "none is marked";
  registry_.MarkSpares(true);

  EXPECT_EQ(GiveAll(), 3u);

  EXPECT_EQ(Given(), (std::vector<uintptr_t>{kRun, 2 * kRun, 3 * kRun}));
  EXPECT_EQ(registry_.Count().spare_runs, 0u);
}

TEST_F(WaitingRunsTest, ThoseOfThreadsThatTakeSomeStay) {
  AddCaches(5);
  EXPECT_FALSE(registry_.MarkSpares(false)) << "none was taken yet";
  EXPECT_EQ(GiveAll(), 5u);
  Given();
  for (size_t i = 0; i < 5; ++i) {
    caches_[i].spares.DropStolen();
    caches_[i].spares.Add((i + 1) * kRun, 64 * kKiB);
  }
  for (const size_t i : {1, 3}) {
    EXPECT_EQ(caches_[i].spares.Take(64 * kKiB), (i + 1) * kRun);
    caches_[i].spares.Add((i + 1) * kRun, 64 * kKiB);
  }

  EXPECT_TRUE(registry_.MarkSpares(false));

  EXPECT_EQ(GiveAll(), 3u);
  EXPECT_EQ(Given(), (std::vector<uintptr_t>{kRun, 3 * kRun, 5 * kRun}));
}

TEST_F(WaitingRunsTest, CachesThatComeAndGoAfterTheMarkHideNone) {
  AddCaches(4);
  registry_.MarkSpares(true);
  registry_.Add(&one_);
  registry_.Remove(&caches_[3]);

  EXPECT_EQ(GiveAll(), 3u);

  EXPECT_EQ(Given(), (std::vector<uintptr_t>{kRun, 2 * kRun, 3 * kRun}));
}

TEST_F(WaitingRunsTest, WhatAThreadHasLeftIsTheNextOnesUntilAnotherMark) {
  AddCaches(3);
  caches_[1].SetArena(arenas_.At(0));
  caches_[1].arena->Join();
  registry_.MarkSpares(true);
  ASSERT_TRUE(registry_.Park(&caches_[1], 1));
  ASSERT_EQ(registry_.Adopt(arenas_.At(0), true), &caches_[1]);

  EXPECT_EQ(GiveAll(), 2u);
  EXPECT_EQ(Given(), (std::vector<uintptr_t>{kRun, 3 * kRun}));

  registry_.MarkSpares(true);
  EXPECT_EQ(GiveAll(), 1u);
  EXPECT_EQ(Given(), (std::vector<uintptr_t>{2 * kRun}));
}

TEST_F(WaitingRunsTest, ARoundTakesAsLongAsAFewWalksOverAllCaches) {
  static constexpr size_t kCaches = 12'000;
  AddCaches(kCaches);
  given_.reserve(kCaches);
  const double walk = SecondsFor([this] { registry_.MarkSpares(true); });

  const double round = SecondsFor([this] { EXPECT_EQ(GiveAll(), kCaches); });

  // It takes 3. One that began at the front for each cache took 400.
  EXPECT_LT(round, 20 * walk + 0.01) << "a walk takes " << walk << " s";
  Given();
}

TEST_F(CacheRegistryTest, InAForksChildAllCachesButItsOwnAreOrphans) {
  for (ThreadCache* survivor : {&one_, &two_, &three_}) {
    for (ThreadCache* cache : {&one_, &two_, &three_}) registry_.Add(cache);

    registry_.LeaveOrphans(survivor);

    EXPECT_EQ(registry_.Count().caches, 1u);
    for (int i = 0; i < 2; ++i) {
      ThreadCache* const orphan = registry_.TakeMarked();
      ASSERT_NE(orphan, nullptr);
      EXPECT_NE(orphan, survivor);
    }
    EXPECT_EQ(registry_.TakeMarked(), nullptr);
    registry_.Remove(survivor);
  }
}

TEST_F(CacheRegistryTest, InAChildWithoutACacheAllAreOrphans) {
  registry_.Add(&one_);

  registry_.LeaveOrphans(nullptr);

  EXPECT_EQ(registry_.Count().caches, 0u);
  EXPECT_EQ(registry_.TakeMarked(), &one_);
  EXPECT_EQ(registry_.TakeMarked(), nullptr);
}

TEST_F(CacheRegistryTest, ACacheThatWasBeingChangedIsNoOrphan) {
  for (ThreadCache* cache : {&one_, &two_, &three_}) registry_.Add(cache);
  two_.in_slow_path = true;
  three_.in_slow_path = true;  // a handler forks

  registry_.LeaveOrphans(&three_);

  EXPECT_EQ(registry_.Count().caches, 1u);
  EXPECT_EQ(registry_.TakeMarked(), &one_);
  EXPECT_EQ(registry_.TakeMarked(), nullptr);
}

TEST_F(CacheRegistryTest, TheOrphansOfAChildAreThoseOfItsOwnChildAsWell) {
  registry_.Add(&one_);
  registry_.Add(&two_);
  registry_.LeaveOrphans(&two_);
  registry_.Add(&three_);

  registry_.LeaveOrphans(&three_);

  EXPECT_EQ(registry_.Count().caches, 1u);
  EXPECT_EQ(registry_.TakeMarked(), &one_);
  EXPECT_EQ(registry_.TakeMarked(), &two_);
  EXPECT_EQ(registry_.TakeMarked(), nullptr);
}

TEST_F(CacheRegistryTest, WhatOrphansHoldIsHeldAndCounted) {
  uintptr_t memory[SpareRuns::kTableWords] = {};
  one_.spares.Open(memory);
  one_.spares.Add(4096, 64 * kKiB);
  registry_.Add(&one_);

  registry_.LeaveOrphans(nullptr);

  EXPECT_TRUE(registry_.Holds(0, 4096));
  EXPECT_EQ(registry_.Count().bytes, 64 * kKiB);
}

TEST_F(CacheRegistryTest, AllCachesTogetherStayInTheBudget) {
  g_options.cache_budget_kib = 64;
  const auto caches = std::make_unique<ThreadCache[]>(1000);
  size_t granted = 0;
  for (size_t i = 0; i < 1000; ++i) {
    if (registry_.Claim(&caches[i], kKiB)) granted += kKiB;
  }

  EXPECT_EQ(granted, 64 * kKiB);
  EXPECT_FALSE(registry_.Claim(&one_, 1));
  registry_.Unclaim(&caches[0], kKiB);
  registry_.Unclaim(&caches[1], kKiB);
  EXPECT_TRUE(registry_.Claim(&one_, 2 * kKiB));
  EXPECT_FALSE(registry_.Claim(&two_, 1));
}

TEST_F(CacheRegistryTest, OneCacheGetsItsShareOnly) {
  g_options.cache_budget_kib = 1024;
  size_t grown = 0;
  while (registry_.Claim(&one_, kKiB)) grown += kKiB;

  EXPECT_GT(grown, 0u);
  EXPECT_LE(grown, 512 * kKiB);
  EXPECT_EQ(one_.grown_bytes, grown);
  // And another one its own.
  EXPECT_TRUE(registry_.Claim(&two_, kKiB));
}

TEST_F(CacheRegistryTest, WhatWasClaimedInAdvanceNeedsNoSecondClaim) {
  g_options.cache_budget_kib = 1024;
  ASSERT_TRUE(registry_.Claim(&one_, 16));
  const size_t claimed = one_.claimed_bytes;
  ASSERT_GT(claimed, 32u);

  EXPECT_TRUE(registry_.Claim(&one_, 16));

  EXPECT_EQ(one_.claimed_bytes, claimed);
  EXPECT_EQ(one_.grown_bytes, 32u);
}

TEST_F(CacheRegistryTest, ACacheThatHoldsNothingClaimsNothing) {
  g_options.cache_budget_kib = 64;
  ASSERT_TRUE(registry_.Claim(&one_, 100));
  ASSERT_TRUE(registry_.Claim(&one_, 200));

  registry_.Unclaim(&one_, 100);
  EXPECT_GT(one_.claimed_bytes, 0u);
  registry_.Unclaim(&one_, 200);

  EXPECT_EQ(one_.claimed_bytes, 0u);
  EXPECT_EQ(one_.grown_bytes, 0u);
}

TEST_F(CacheRegistryTest, ABudgetOfNothingGrantsNothing) {
  g_options.cache_budget_kib = 0;

  EXPECT_FALSE(registry_.Claim(&one_, 16));
}

TEST_F(CacheRegistryTest, ThreadsNeverGetMoreThanTheBudgetTogether) {
  g_options.cache_budget_kib = 64;
  std::atomic<size_t> held{0};
  std::vector<std::thread> threads;

  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto cache = std::make_unique<ThreadCache>();
      for (int i = 0; i < 2000; ++i) {
        if (!registry_.Claim(cache.get(), 8 * kKiB)) continue;
        EXPECT_LE(held.fetch_add(8 * kKiB) + 8 * kKiB, 64 * kKiB);
        held.fetch_sub(8 * kKiB);
        registry_.Unclaim(cache.get(), 8 * kKiB);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_TRUE(registry_.Claim(&one_, 8 * kKiB));
}

}  // namespace
}  // namespace cma
