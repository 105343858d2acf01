#include "os/os_wait.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "support/deadline.h"

namespace cma {
namespace {

constexpr std::chrono::seconds kLong{30};

TEST(OsWaitTest, WaitingForAWordThatHasChangedReturnsAtOnce) {
  std::atomic<uint32_t> word{1};

  OsWait(word, 0);
  OsWaitFor(word, 0, 1'000'000);
}

TEST(OsWaitTest, WaitingForAWhileEndsByItself) {
  std::atomic<uint32_t> word{0};
  const auto before = std::chrono::steady_clock::now();

  OsWaitFor(word, 0, 20);

  EXPECT_LT(std::chrono::steady_clock::now() - before, kLong);
}

TEST(OsWaitTest, ASleeperIsWoken) {
  std::atomic<uint32_t> word{0};
  std::atomic<bool> awake{false};
  std::thread sleeper([&] {
    while (word.load() == 0) OsWait(word, 0);
    awake = true;
  });

  word.store(1);
  OsWake(word, 1);

  EXPECT_TRUE(cma_test::WaitUntil([&] { return awake.load(); }, kLong));
  sleeper.join();
}

thread_local volatile char t_much[300 * 1024];

// The C library has them on a thread's stack.
TEST(OsWaitTest, AThreadStartsThoughThreadLocalVariablesNeedMoreThanItsStack) {
  t_much[0] = 1;
  pthread_t handle;

  ASSERT_TRUE(OsStartThread([](void*) -> void* { return nullptr; }, nullptr, &handle));

  OsJoinThread(handle);
}

TEST(OsWaitTest, ThreadsHaveDifferentIdentities) {
  const uintptr_t mine = OsThreadIdentity();
  uintptr_t other = mine;

  std::thread([&other] { other = OsThreadIdentity(); }).join();

  EXPECT_NE(other, mine);
  EXPECT_EQ(OsThreadIdentity(), mine);
  EXPECT_NE(mine, 0u);
}

TEST(OsWaitTest, AForkedChildKeepsTheIdentity) {
  const uintptr_t mine = OsThreadIdentity();

  const pid_t child = fork();
  if (child == 0) _exit(OsThreadIdentity() == mine ? 0 : 1);

  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

struct Started {
  std::atomic<bool> done{false};
  bool blocks_signals = false;
  uintptr_t identity = 0;
};

TEST(OsWaitTest, AStartedThreadRunsItsBodyWithAllSignalsBlocked) {
  static Started started;
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);

  pthread_t handle;
  ASSERT_TRUE(OsStartThread(
      [](void* argument) -> void* {
        auto* const self = static_cast<Started*>(argument);
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        self->blocks_signals = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1;
        self->identity = OsThreadIdentity();
        self->done = true;
        return nullptr;
      },
      &started, &handle));
  OsJoinThread(handle);

  EXPECT_TRUE(started.done);
  EXPECT_TRUE(started.blocks_signals);
  EXPECT_NE(started.identity, OsThreadIdentity());
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

}  // namespace
}  // namespace cma
