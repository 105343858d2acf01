// A fork in a process of several threads: the child has the forking one only.
#include "cache/fork.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "cache/slow_path.h"
#include "options/options.h"
#include "support/long_delay.h"
#include "support/opaque.h"
#include "support/sanitizer.h"

namespace cma {
namespace {

// A thread that has a cache with free blocks in it until it is told to end.
class IdleThread {
 public:
  // `freed`, if not null, is set to a block that it has freed.
  explicit IdleThread(void** freed = nullptr) : freed_(freed), thread_([this] { Body(); }) {
    while (!ready_.load()) std::this_thread::yield();
  }
  ~IdleThread() {
    end_ = true;
    thread_.join();
  }

  ThreadCache* cache() const { return cache_; }

 private:
  void Body() {
    std::vector<void*> blocks;
    for (int i = 0; i < 500; ++i) blocks.push_back(cma_malloc(64));
    for (void* block : blocks) cma_free(block);
    if (freed_ != nullptr) *freed_ = blocks.back();
    cache_ = t_cache;
    ready_ = true;
    while (!end_.load()) std::this_thread::yield();
  }

  std::atomic<bool> ready_{false};
  std::atomic<bool> end_{false};
  ThreadCache* cache_ = nullptr;
  void** const freed_;
  std::thread thread_;
};

// Exit status of a child that runs `body`.
template <typename F>
int StatusOfChild(F body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

// What a fork handler does that was registered before those of cma, and so runs while all is held.
void (*g_while_held)() = nullptr;
const bool g_registered = pthread_atfork(
                              [] {
                                if (g_while_held != nullptr) g_while_held();
                              },
                              nullptr, nullptr) == 0;

class ForkTest : public testing::Test {
 protected:
  ForkTest() {
    EXPECT_TRUE(g_registered);
    cma_free(cma_malloc(64));
  }
};

TEST_F(ForkTest, WhatAHandlerMakesWhileAllIsHeldIsOfUseToBoth) {
  static cma_heap* heap;
  static void* huge;
  g_while_held = [] {
    heap = cma_heap_create("made meanwhile", 0);
    cma_free(cma_heap_malloc(heap, 100));
    huge = cma_malloc(3'000'000);
  };
  const auto use = [] {
    cma_free(cma_heap_malloc(heap, 100));
    cma_free(huge);
    cma_heap_destroy(heap);
    return 0;
  };

  EXPECT_EQ(StatusOfChild(use), 0);

  g_while_held = nullptr;
  std::thread(use).join();
}

// Where a signal has interrupted a thread that holds a lock, and its handler forks.
TEST_F(ForkTest, AThreadThatHoldsALockMayFork) {
  const IdleThread other;
  Lock& lock = t_cache->arena->lock();
  lock.Acquire();

  const int status = StatusOfChild([&lock] {
    lock.Release();
    for (const size_t bytes : {64u, 5000u, 100'000u, 3'000'000u}) cma_free(cma_malloc(bytes));
    return 0;
  });

  lock.Release();
  EXPECT_EQ(status, 0);
  for (const size_t bytes : {64u, 5000u, 100'000u, 3'000'000u}) cma_free(cma_malloc(bytes));
}

// Whether what is cached and what is live are as the figures say.
bool HasAsMuch(const cma_stats& as) {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats.threads == 1 && stats.live_bytes == as.live_bytes &&
         stats.thread_cached_bytes == as.thread_cached_bytes;
}

cma_stats Stats() {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats;
}

TEST_F(ForkTest, TheChildHasTheCachesOfLostThreadsUntilItGivesThemBack) {
  const IdleThread first;
  const IdleThread second;
  ASSERT_EQ(g_caches.Count().caches, 3u);
  const cma_stats before = Stats();

  EXPECT_EQ(StatusOfChild([&] {
              if (!HasAsMuch(before)) return 1;
              for (int i = 0; i < 2; ++i) {
                if (!EmptyMarkedCache(true)) return 2;
              }
              if (EmptyMarkedCache(true)) return 3;
              if (Stats().live_bytes != before.live_bytes) return 4;
              if (Stats().thread_cached_bytes >= before.thread_cached_bytes) return 5;
              return 0;
            }),
            0);

  EXPECT_EQ(g_caches.Count().caches, 3u);
}

TEST_F(ForkTest, TheChildGivesThemBackOneAtATimeAsItAllocates) {
  const IdleThread first;
  const IdleThread second;
  const cma_stats before = Stats();

  EXPECT_EQ(StatusOfChild([&] {
              size_t falls = 0;
              size_t cached = Stats().thread_cached_bytes;
              for (uint32_t i = 0; i < 4 * kStepEvents; ++i) {
                ++t_cache->events;
                if (t_cache->events % kStepEvents == 0) DoWhatIsDue(t_cache);
                falls += Stats().thread_cached_bytes < cached ? 1 : 0;
                cached = Stats().thread_cached_bytes;
              }
              return falls == 2 && Stats().live_bytes == before.live_bytes ? 0 : 1;
            }),
            0);
}

TEST_F(ForkTest, TheChildGivesThemBackWhenAllThatIsFreeIsToGo) {
  const IdleThread first;
  const IdleThread second;

  EXPECT_EQ(StatusOfChild([] {
              cma_malloc_trim(0);
              return EmptyMarkedCache(true) ? 1 : 0;
            }),
            0);
}

TEST_F(ForkTest, AChildOfTheChildHasThemAsWell) {
  const IdleThread lost;
  const cma_stats before = Stats();

  EXPECT_EQ(StatusOfChild([&] {
              return StatusOfChild([&] {
                if (!HasAsMuch(before)) return 1;
                return EmptyMarkedCache(true) && !EmptyMarkedCache(true) ? 0 : 2;
              });
            }),
            0);
}

TEST_F(ForkTest, ThreadsOfTheChildDoNotTakeThemOver) {
  if (cma_test::kThreadSanitizer) {
    GTEST_SKIP() << "ThreadSanitizer takes a thread of the child for one of the lost ones";
  }
  const IdleThread lost;

  EXPECT_EQ(StatusOfChild([&lost] {
              const IdleThread other;
              return other.cache() != lost.cache() && EmptyMarkedCache(true) ? 0 : 1;
            }),
            0);
}

TEST_F(ForkTest, TheChildKnowsWhatALostThreadHasFreed) {
  void* block = nullptr;
  const IdleThread lost(&block);

  const int status = StatusOfChild([&block] {
    freopen("/dev/null", "w", stderr);
    return cma_malloc_usable_size(cma_test::Opaque(block)) != 0 ? 1 : 2;
  });

  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST_F(ForkTest, TheChildHasTheCachesOfEndedThreadsAsItsParent) {
  { const IdleThread ended; }
  ASSERT_EQ(g_caches.Count().caches, 1u);

  EXPECT_EQ(StatusOfChild([] {
              if (EmptyMarkedCache(true)) return 1;
              g_caches.MarkParked();
              return EmptyMarkedCache(true) && Stats().threads == 1 ? 0 : 2;
            }),
            0);

  g_caches.MarkParked();
  EXPECT_TRUE(EmptyMarkedCache(true)) << "the parent still has it";
}

TEST_F(ForkTest, TheChildLeavesACacheAloneThatWasBeingChanged) {
  const IdleThread lost;
  lost.cache()->in_slow_path = true;
  Cursor& top = lost.cache()->lists[ClassOf(64)];
  top = top + 1000;  // as if in the middle of something

  const int status = StatusOfChild([] {
    if (g_caches.TakeMarked() != nullptr) return 2;
    return g_caches.Count().caches == 1 ? 0 : 1;
  });

  top = top - 1000;
  lost.cache()->in_slow_path = false;
  EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, TheChildHasTheBudgetOfACacheThatIsLost) {
  const IdleThread lost;
  constexpr size_t kMuch = 2 * kMiB;
  ASSERT_TRUE(g_caches.Claim(lost.cache(), kMuch));
  lost.cache()->in_slow_path = true;

  const int status = StatusOfChild([] {
    g_options.cache_budget_kib = kMuch / kKiB;
    return g_caches.Claim(t_cache, 64 * kKiB) ? 0 : 1;
  });

  lost.cache()->in_slow_path = false;
  g_caches.Unclaim(lost.cache(), kMuch);
  EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, TheChildAllocatesFreesAndForksAgain) {
  const IdleThread lost;
  void* const before = cma_malloc(100);

  EXPECT_EQ(StatusOfChild([before] {
              if (g_heap.releaser.has_thread()) return 2;
              cma_free(before);
              for (const size_t bytes : {64u, 5000u, 100'000u, 3'000'000u}) {
                void* const block = cma_malloc(bytes);
                if (block == nullptr) return 1;
                cma_free(block);
              }
              return StatusOfChild([] {
                cma_free(cma_malloc(64));
                return 0;
              });
            }),
            0);

  cma_free(before);
}

TEST_F(ForkTest, TheChildForgetsAHugeBlockThatAnotherThreadHadInHand) {
  auto* const start = static_cast<std::byte*>(cma_malloc(3'000'000));
  HugeBlock* const lost = g_heap.huge.table().LeaveMoved(start);
  ASSERT_NE(lost, nullptr);

  EXPECT_EQ(StatusOfChild([] { return g_heap.huge.live_bytes() == 0 ? 0 : 1; }), 0);

  EXPECT_GE(g_heap.huge.live_bytes(), 3'000'000u);
  g_heap.huge.table().Enter(lost);
  cma_free(start);
}

TEST_F(ForkTest, TheParentGoesOnAsBefore) {
  const IdleThread other;

  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(StatusOfChild([] { return 0; }), 0);
    cma_free(cma_malloc(64));
  }

  EXPECT_EQ(g_caches.Count().caches, 2u);
}

}  // namespace
}  // namespace cma
