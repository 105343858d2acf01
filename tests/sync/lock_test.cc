#include "sync/lock.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace cma {
namespace {

#ifdef NDEBUG
constexpr bool kChecksRanks = false;
#else
constexpr bool kChecksRanks = true;
#endif

// Whether another thread could take the lock.
bool IsFreeForOthers(Lock& lock) {
  bool taken = false;
  std::thread([&] {
    taken = lock.TryAcquire();
    if (taken) lock.Release();
  }).join();
  return taken;
}

TEST(LockTest, AHeldLockIsNotFreeForOthers) {
  Lock lock(LockRank::kMetadata);
  EXPECT_TRUE(IsFreeForOthers(lock));

  lock.Acquire();
  EXPECT_FALSE(IsFreeForOthers(lock));
  lock.Release();

  EXPECT_TRUE(IsFreeForOthers(lock));
}

TEST(LockTest, TryAcquireHoldsTheLockUntilRelease) {
  Lock lock(LockRank::kMetadata);

  ASSERT_TRUE(lock.TryAcquire());
  EXPECT_FALSE(IsFreeForOthers(lock));
  lock.Release();

  EXPECT_TRUE(IsFreeForOthers(lock));
}

TEST(LockTest, AGuardHoldsTheLockWhileItLives) {
  Lock lock(LockRank::kMetadata);
  {
    LockGuard guard(lock);
    EXPECT_FALSE(IsFreeForOthers(lock));
  }

  EXPECT_TRUE(IsFreeForOthers(lock));
}

TEST(LockTest, OnlyOneThreadAtATimeIsInside) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 5000;
  Lock lock(LockRank::kMetadata);
  int count = 0;  // no atomic: the lock is what protects it
  std::vector<std::thread> threads;

  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        LockGuard guard(lock);
        const int before = count;
        // Now and then the holder loses its CPU, so that the others have to sleep.
        if (round % 512 == 0) sched_yield();
        count = before + 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(count, kThreads * kRounds);
}

TEST(LockTest, AllSleepersGetTheirTurn) {
  constexpr int kThreads = 6;
  Lock lock(LockRank::kMetadata);
  int passed = 0;
  std::atomic<int> started{0};
  std::vector<std::thread> threads;

  lock.Acquire();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      ++started;
      LockGuard guard(lock);
      ++passed;
    });
  }
  // Long enough that most have given up spinning; the test holds either way.
  while (started.load() != kThreads) sched_yield();
  for (int i = 0; i < 1000; ++i) sched_yield();
  EXPECT_EQ(passed, 0);
  lock.Release();
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(passed, kThreads);
}

TEST(LockTest, TheHolderSeesWhoSleepsForIt) {
  Lock lock(LockRank::kMetadata);
  lock.Acquire();
  EXPECT_FALSE(lock.HasSleepers());

  std::thread other([&] {
    lock.Acquire();
    lock.Release();
  });
  while (!lock.HasSleepers()) sched_yield();
  lock.Release();
  other.join();

  lock.Acquire();
  EXPECT_FALSE(lock.HasSleepers());
  lock.Release();
}

TEST(LockTest, LocksMayBeTakenInTheOrderOfTheirRanks) {
  Lock locks[] = {Lock(LockRank::kStartUp),     Lock(LockRank::kRegistry),
                  Lock(LockRank::kArena),       Lock(LockRank::kArena),
                  Lock(LockRank::kCentralHeap), Lock(LockRank::kHugeBlocks),
                  Lock(LockRank::kMetadata)};

  for (Lock& lock : locks) lock.Acquire();
  for (Lock& lock : locks) lock.Release();
  for (Lock& lock : locks) lock.Acquire();
  for (Lock& lock : locks) lock.Release();
}

void TakeInWrongOrder(LockRank first, LockRank second) {
  Lock outer(first);
  Lock inner(second);
  outer.Acquire();
  inner.Acquire();
}

TEST(LockDeathTest, TakingALowerRankIsReportedInDebugBuilds) {
  if (!kChecksRanks) GTEST_SKIP() << "release builds do not check the order of locks";

  EXPECT_DEATH(TakeInWrongOrder(LockRank::kMetadata, LockRank::kStartUp), "lock order violated");
  EXPECT_DEATH(TakeInWrongOrder(LockRank::kCentralHeap, LockRank::kArena), "lock order violated");
  EXPECT_DEATH(TakeInWrongOrder(LockRank::kArena, LockRank::kRegistry), "lock order violated");
}

TEST(LockDeathTest, TakingTheSameRankTwiceIsReportedInDebugBuilds) {
  if (!kChecksRanks) GTEST_SKIP() << "release builds do not check the order of locks";

  EXPECT_DEATH(TakeInWrongOrder(LockRank::kHugeBlocks, LockRank::kHugeBlocks), "lock order violated");
  EXPECT_DEATH(TakeInWrongOrder(LockRank::kCentralHeap, LockRank::kCentralHeap),
               "lock order violated");
}

TEST(LockTest, TheOrderIsEachThreadsOwn) {
  Lock high(LockRank::kMetadata);
  Lock low(LockRank::kStartUp);

  high.Acquire();
  EXPECT_TRUE(IsFreeForOthers(low));
  high.Release();

  low.Acquire();
  low.Release();
}

class ForkWindowTest : public testing::Test {
 protected:
  ForkWindowTest() {
    EXPECT_TRUE(first_.AcquireForFork());
    EXPECT_TRUE(second_.AcquireForFork());
    EnterForkWindow();
  }

  void End() {
    LeaveForkWindow();
    second_.ReleaseAfterFork();
    first_.ReleaseAfterFork();
  }

  Lock first_{LockRank::kStartUp};
  Lock second_{LockRank::kMetadata};
};

TEST_F(ForkWindowTest, TheForkingThreadPassesThroughItsLocks) {
  second_.Acquire();
  first_.Acquire();
  first_.Release();
  second_.Release();
  EXPECT_TRUE(second_.TryAcquire());
  second_.Release();

  EXPECT_FALSE(IsFreeForOthers(first_));
  EXPECT_FALSE(IsFreeForOthers(second_));
  End();
  EXPECT_TRUE(IsFreeForOthers(first_));
  EXPECT_TRUE(IsFreeForOthers(second_));
}

TEST_F(ForkWindowTest, TheChildPassesToo) {
  const pid_t child = fork();
  if (child == 0) {
    second_.Acquire();
    second_.Release();
    End();
    const bool free_again = first_.TryAcquire() && second_.TryAcquire();
    _exit(free_again ? 0 : 1);
  }

  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  End();
}

TEST_F(ForkWindowTest, OneThatIsMadeMeanwhileIsHeldLikeTheOthers) {
  Lock made(LockRank::kArena);
  made.HoldIfForking();

  made.Acquire();
  made.Release();

  EXPECT_FALSE(IsFreeForOthers(made));
  End();
  made.ReleaseAfterFork();
  EXPECT_TRUE(IsFreeForOthers(made));
}

TEST_F(ForkWindowTest, OneThatForkDoesNotHoldWorksAsEver) {
  Lock other(LockRank::kArena);

  other.Acquire();
  EXPECT_FALSE(IsFreeForOthers(other));
  other.Release();

  EXPECT_TRUE(IsFreeForOthers(other));
  End();
}

// As a signal handler finds it that has interrupted the holder, and forks.
TEST(LockTest, ForkLeavesALockAloneThatItsThreadHolds) {
  Lock lock(LockRank::kArena);
  lock.Acquire();

  EXPECT_FALSE(lock.AcquireForFork());
  lock.ReleaseAfterFork();

  EXPECT_FALSE(IsFreeForOthers(lock));
  lock.Release();
  EXPECT_TRUE(IsFreeForOthers(lock));
}

TEST(LockTest, OutsideOfAForkANewLockIsFree) {
  Lock lock(LockRank::kArena);

  lock.HoldIfForking();

  EXPECT_TRUE(IsFreeForOthers(lock));
}

TEST_F(ForkWindowTest, TheLocksWorkAsBeforeWhenItIsOver) {
  End();

  LockGuard guard(first_);
  EXPECT_FALSE(IsFreeForOthers(first_));
}

}  // namespace
}  // namespace cma
