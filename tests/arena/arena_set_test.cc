#include "arena/arena_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "support/heap_fixture.h"
#include "support/one_cpu.h"

namespace cma {
namespace {

using cma_test::FakeOs;

class ArenaSetTest : public cma_test::HeapFixture {
 protected:
  // What another thread gets near `home`, and releases again.
  Arena* AcquiredByAnotherThread(Arena* home) {
    Arena* acquired = nullptr;
    std::thread([&] {
      acquired = arenas_.AcquireNear(home);
      acquired->lock().Release();
    }).join();
    return acquired;
  }

  // 3 MiB in each of four superblocks that something lives in.
  void MakeMuchFree(Arena& arena) {
    std::vector<std::byte*> runs(16);
    for (std::byte*& run : runs) run = arena.TakeRun(kLargeMax, kLargeMax, nullptr);
    for (size_t i = 0; i < runs.size(); ++i) {
      if (AddressOf(runs[i]) % kSuperblockBytes == 0) continue;
      arena.GiveRun(UsedRunAt(map_.FindSuperblock(AddressOf(runs[i])), runs[i]));
    }
  }
};

// Whose thread has the same current arena all the time. The CPUs were counted before.
class JoinArenasTest : public ArenaSetTest {
  const cma_test::OnOneCpu on_one_cpu_;
};

TEST(ArenasForTest, ThereIsOneForEveryCpuAndFrom8OnOneMore) {
  EXPECT_EQ(ArenasFor(0), 1u);
  EXPECT_EQ(ArenasFor(1), 1u);
  EXPECT_EQ(ArenasFor(7), 7u);
  EXPECT_EQ(ArenasFor(8), 9u);
  EXPECT_EQ(ArenasFor(kMaxArenas - 1), kMaxArenas);
  EXPECT_EQ(ArenasFor(kMaxArenas), kMaxArenas);
  EXPECT_EQ(ArenasFor(10 * kMaxArenas), kMaxArenas);
}

TEST_F(ArenaSetTest, ThereAreAsManyAsTheUsableCpusAskFor) {
  static CpuRanks ranks;
  auto set = std::make_unique<ArenaSet>(central_);

  const size_t cpus = set->CountCpus();
  set->Initialize(0);

  EXPECT_GE(set->count(), 1u);
  EXPECT_EQ(set->count(), ArenasFor(cpus));
  EXPECT_LE(cpus, ranks.Fill());
  EXPECT_LT(set->CurrentIndex(), set->count());
}

TEST_F(ArenaSetTest, TheNumberThatIsAskedForIsCutToWhatThereCanBe) {
  auto set = std::make_unique<ArenaSet>(central_);

  set->Initialize(3);
  EXPECT_EQ(set->count(), 3u);
  set->Initialize(1'000'000);
  EXPECT_EQ(set->count(), kMaxArenas);
}

TEST_F(ArenaSetTest, AnArenaIsMadeWhenItIsFirstNeeded) {
  EXPECT_EQ(arenas_.Existing(2), nullptr);

  Arena* const arena = arenas_.At(2);

  ASSERT_NE(arena, nullptr);
  EXPECT_EQ(arena->id(), ArenaId{2});
  EXPECT_EQ(arenas_.At(2), arena);
  EXPECT_EQ(arenas_.Existing(2), arena);
  EXPECT_EQ(arenas_.Existing(1), nullptr);
}

TEST_F(ArenaSetTest, AllThatAreAskedForAreInUseAndOtherwiseOneIs) {
  auto set = std::make_unique<ArenaSet>(central_);

  set->CountCpus();
  set->Initialize(0);
  EXPECT_EQ(set->in_use(), 1u);
  EXPECT_EQ(set->CurrentIndex(), 0u);
  set->UseAll();
  EXPECT_EQ(set->in_use(), set->count());
  set->Initialize(3);
  EXPECT_EQ(set->in_use(), 3u);
}

TEST_F(ArenaSetTest, TheCurrentArenaIsThatOfTheCpu) {
  Arena* const arena = arenas_.Current();

  ASSERT_NE(arena, nullptr);
  EXPECT_LT(static_cast<size_t>(arena->id()), arenas_.count());
}

TEST_F(JoinArenasTest, WhatAThreadHasLeftGoesToOneThatStarts) {
  Arena* const current = arenas_.Current();
  Arena* const left = arenas_.At((static_cast<size_t>(current->id()) + 1) % arenas_.count());

  arenas_.NoteVacant(left);

  EXPECT_EQ(arenas_.JoinForNewThread(), left);
  EXPECT_TRUE(left->HasUsers());
  EXPECT_EQ(arenas_.JoinForNewThread(), current);
}

TEST_F(JoinArenasTest, WhatOthersUseIsNotTakenOver) {
  Arena* const current = arenas_.Current();
  Arena* const left = arenas_.At((static_cast<size_t>(current->id()) + 1) % arenas_.count());
  left->Join();

  arenas_.NoteVacant(left);

  EXPECT_EQ(arenas_.JoinForNewThread(), current);
}

TEST_F(JoinArenasTest, AThreadThatStartsJoinsAnyArenaThatNobodyHas) {
  arenas_.Current()->Join();
  for (size_t i = 1; i < arenas_.count(); ++i) EXPECT_NE(arenas_.JoinForNewThread(), nullptr);

  EXPECT_EQ(arenas_.JoinForNewThread(), nullptr);
}

TEST_F(JoinArenasTest, EveryUnusedArenaIsJoinedOnce) {
  arenas_.Current()->Join();
  std::vector<Arena*> joined;

  for (size_t i = 1; i < arenas_.count(); ++i) {
    joined.push_back(arenas_.JoinUsedBy(0));
    ASSERT_NE(joined.back(), nullptr);
    EXPECT_EQ(std::count(joined.begin(), joined.end(), joined.back()), 1);
  }
  EXPECT_EQ(arenas_.JoinUsedBy(0), nullptr);

  joined[0]->Leave();
  EXPECT_EQ(arenas_.JoinUsedBy(0), joined[0]);
}

TEST_F(JoinArenasTest, TheArenaOfTheThreadsCpuIsTheFirstThatIsShared) {
  Arena* const current = arenas_.Current();
  std::vector<Arena*> joined;
  while (Arena* const arena = arenas_.JoinUsedBy(0)) joined.push_back(arena);
  EXPECT_EQ(joined.size(), arenas_.count());

  EXPECT_EQ(arenas_.JoinUsedBy(1), current);

  for (size_t i = 1; i < arenas_.count(); ++i) {
    Arena* const arena = arenas_.JoinUsedBy(1);
    ASSERT_NE(arena, nullptr);
    EXPECT_NE(arena, current);
  }
  EXPECT_EQ(arenas_.JoinUsedBy(1), nullptr);
}

TEST_F(JoinArenasTest, AForksChildHasTheArenasOfOtherThreadsForItself) {
  arenas_.Current()->Join();
  while (arenas_.JoinUsedBy(0) != nullptr) {
  }

  arenas_.ForgetOthers(arenas_.Current());

  for (size_t i = 1; i < arenas_.count(); ++i) EXPECT_NE(arenas_.JoinUsedBy(0), nullptr);
  EXPECT_EQ(arenas_.JoinUsedBy(0), nullptr);
}

TEST_F(ArenaSetTest, ARefusedArenaIsNullAndTheNextTryWorks) {
  os_.Refuse(FakeOs::kMap);

  EXPECT_EQ(arenas_.At(1), nullptr);
  EXPECT_EQ(arenas_.Existing(1), nullptr);

  EXPECT_NE(arenas_.At(1), nullptr);
}

TEST_F(ArenaSetTest, ThreadsThatNeedTheSameArenaGetOne) {
  std::vector<Arena*> got(8);
  std::vector<std::thread> threads;

  for (Arena*& arena : got) {
    threads.emplace_back([this, &arena] { arena = arenas_.At(3); });
  }
  for (std::thread& thread : threads) thread.join();

  for (const Arena* arena : got) EXPECT_EQ(arena, arenas_.Existing(3));
}

TEST_F(ArenaSetTest, ARunComesFromAnotherArenaThatHasMuchFree) {
  Arena* const home = arenas_.At(0);
  Arena* const other = arenas_.At(1);
  EXPECT_EQ(arenas_.WithMuchFree(home), nullptr);
  MakeMuchFree(*other);

  EXPECT_EQ(arenas_.WithMuchFree(home), other);
  EXPECT_EQ(arenas_.WithMuchFree(other), nullptr);
  const std::byte* const run = arenas_.TakeFreeRun(home, kLargeMax, 64, nullptr);

  EXPECT_EQ(arenas_.Owner(map_.FindSuperblock(AddressOf(run))), other);
}

TEST_F(ArenaSetTest, ARunComesFromHomeIfItHasOne) {
  Arena* const home = arenas_.At(0);
  EXPECT_EQ(arenas_.TakeFreeRun(home, kLargeMax, 64, nullptr), nullptr) << "nobody has";
  ASSERT_NE(home->TakeRun(kLargeMax, 64, nullptr), nullptr);
  MakeMuchFree(*arenas_.At(1));

  const std::byte* const run = arenas_.TakeFreeRun(home, kLargeMax, 64, nullptr);

  EXPECT_EQ(arenas_.Owner(map_.FindSuperblock(AddressOf(run))), home);
}

TEST_F(ArenaSetTest, ASuperblocksOwnerIsTheArenaThatHasIt) {
  Arena* const arena = arenas_.At(1);
  std::byte* const block = arena->TakeRun(kLargeMax, 16, nullptr);
  const Superblock* const superblock = map_.FindSuperblock(AddressOf(block));

  EXPECT_EQ(arenas_.Owner(superblock), arena);
}

TEST_F(ArenaSetTest, ASuperblockInTheCentralHeapHasNoOwner) {
  Superblock superblock = {};
  superblock.arena = kNoArena;

  EXPECT_EQ(arenas_.Owner(&superblock), nullptr);
}

TEST_F(ArenaSetTest, AFreeArenaIsAcquiredItself) {
  Arena* const home = arenas_.At(0);
  arenas_.At(1);

  EXPECT_EQ(AcquiredByAnotherThread(home), home);
}

TEST_F(ArenaSetTest, NearABusyArenaAnotherOneIsAcquired) {
  Arena* const home = arenas_.At(0);
  Arena* const other = arenas_.At(1);

  home->lock().Acquire();
  Arena* const acquired = AcquiredByAnotherThread(home);
  home->lock().Release();

  EXPECT_EQ(acquired, other);
}

TEST_F(ArenaSetTest, AmongBusyArenasTheHomeIsWaitedFor) {
  Arena* const home = arenas_.At(0);  // and no other one was ever made
  Arena* acquired = nullptr;
  std::atomic<bool> started{false};

  home->lock().Acquire();
  std::thread waiter([&] {
    started = true;
    acquired = arenas_.AcquireNear(home);
    acquired->lock().Release();
  });
  while (!started.load()) std::this_thread::yield();
  home->lock().Release();
  waiter.join();

  EXPECT_EQ(acquired, home);
  EXPECT_EQ(arenas_.Existing(1), nullptr);
}

}  // namespace
}  // namespace cma
