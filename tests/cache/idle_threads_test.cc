// What a thread costs that has allocated a little and now waits.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <string>
#include <thread>
#include <vector>

#include <cma/cma.h>

#include "base/units.h"
#include "cache/thread_cache.h"
#include "support/one_cpu.h"
#include "support/opaque.h"
#include "support/process_memory.h"
#include "support/sanitizer.h"

namespace cma {
namespace {

// Before the first allocation: all threads work with one arena.
const bool g_prepared = cma_test::StayOnThisCpu();

constexpr size_t kThreads = 500;

// In a thread that starts while another one, and the caller, have a cache.
template <typename Function>
void AsThirdThread(const Function& run) {
  cma_free(cma_malloc(1));
  std::thread([&run] {
    const ThreadCache* const none = t_cache;
    cma_free(cma_malloc(1));
    EXPECT_NE(t_cache, none);
    std::thread([&run] {
      run();
      cma_thread_idle();  // leaves no cache for the next thread
    }).join();
    cma_thread_idle();
  }).join();
}

// Threads that use eight sizes, or nothing, and then wait until the figure is taken.
class WaitingThreads {
 public:
  explicit WaitingThreads(bool allocate) : allocate_(allocate) {
    pthread_barrier_init(&all_wait_, nullptr, kThreads + 1);
    pthread_barrier_init(&may_end_, nullptr, kThreads + 1);
  }

  // Bytes that the process has grown by meanwhile.
  size_t Growth() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * kKiB);
    const size_t before = cma_test::ResidentBytes();
    for (pthread_t& thread : threads_) {
      EXPECT_EQ(pthread_create(&thread, &attributes, Run, this), 0);
    }
    pthread_barrier_wait(&all_wait_);
    const size_t after = cma_test::ResidentBytes();
    pthread_barrier_wait(&may_end_);
    for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
    return after > before ? after - before : 0;
  }

 private:
  static void* Run(void* self) {
    auto* const threads = static_cast<WaitingThreads*>(self);
    if (threads->allocate_) AllocateALittle();
    pthread_barrier_wait(&threads->all_wait_);
    pthread_barrier_wait(&threads->may_end_);
    return nullptr;
  }
  static void AllocateALittle() {
    void* blocks[8];
    constexpr size_t kSizes[] = {24, 48, 100, 32, 200, 64, 16, 400};
    for (size_t i = 0; i < 8; ++i) blocks[i] = memset(cma_malloc(kSizes[i]), 1, kSizes[i]);
    for (void* block : blocks) cma_free(block);
  }

  const bool allocate_;
  pthread_t threads_[kThreads];
  pthread_barrier_t all_wait_;
  pthread_barrier_t may_end_;
};

TEST(IdleThreadsTest, AThreadThatHasAllocatedALittleCostsLittle) {
  if (cma_test::kHasShadowMemory) GTEST_SKIP() << "shadow memory counts too";
  ASSERT_TRUE(g_prepared);
  cma_free(cma_malloc(1));
  WaitingThreads(false).Growth();  // their stacks are kept for the next ones

  const size_t growth = WaitingThreads(true).Growth();

  // The blocks, which were freed: no more than there were at any time.
  EXPECT_LE(growth, kThreads * 2 * kKiB);
}

// Of the threads that share an arena the first two do: one works, perhaps, and one waits for it.
TEST(IdleThreadsTest, OneOfManyThreadsHasACacheWhenItHasAllocatedALittle) {
  ASSERT_TRUE(g_prepared);
  cma_free(cma_malloc(1));
  const ThreadCache* at_start = nullptr;
  const ThreadCache* at_first = nullptr;
  const ThreadCache* at_end = nullptr;
  const uint16_t owner = t_cache->owner;

  AsThirdThread([&] {
    at_start = t_cache;
    cma_free(memset(cma_malloc(100), 1, 100));
    at_first = t_cache;
    for (int i = 0; i < 100; ++i) cma_free(cma_malloc(100));
    at_end = t_cache;
    EXPECT_EQ(t_cache->owner, owner);
  });

  EXPECT_EQ(at_first, at_start);
  EXPECT_NE(at_end, at_start);
}

// What such a thread frees is known as free to threads that have a cache, and look for the key
// only.
TEST(IdleThreadsDeathTest, AnotherThreadsSecondFreeIsReported) {
  ASSERT_TRUE(g_prepared);
  void* const block = cma_malloc(100);
  AsThirdThread([block] { cma_free(block); });

  EXPECT_EXIT(cma_free(cma_test::Opaque(block)), testing::KilledBySignal(SIGABRT), "double free");
}

TEST(IdleThreadsTest, WithoutACacheWhatIsFreeServesWhereMemoryIsRefused) {
  ASSERT_TRUE(g_prepared);
  ASSERT_EQ(cma_option_set("release_delay_ms", "1h"), 0);
  cma_malloc_trim(0);
  std::vector<void*> blocks;
  for (size_t i = 0; i < 3 * kMiB / kMediumMax; ++i) blocks.push_back(cma_malloc(kMediumMax));
  cma_free(memset(cma_malloc(16 * kMiB), 1, 16 * kMiB));  // is kept for the next one
  cma_stats stats;
  cma_get_stats(&stats);
  // Less than a superblock.
  const std::string limit = std::to_string(stats.committed_bytes + 1 * kMiB);
  ASSERT_EQ(cma_option_set("hard_limit", limit.c_str()), 0);

  std::thread([&blocks] {
    for (int i = 0; i < 120; ++i) {
      blocks.push_back(cma_malloc(kMediumMax));
      EXPECT_NE(blocks.back(), nullptr) << i;
    }
  }).join();

  for (void* block : blocks) cma_free(block);
  EXPECT_EQ(cma_option_set("hard_limit", "0"), 0);
  EXPECT_EQ(cma_option_set("release_delay_ms", "500"), 0);
  cma_malloc_trim(0);
}

// What README's Limits say of idle threads.
TEST(IdleThreadsTest, WhatAThreadKeepsOfEverySizeIsBounded) {
  cma_free(cma_malloc(1));
  size_t kept = 0;

  std::thread([&kept] {
    for (int i = 0; i < 100; ++i) cma_free(cma_malloc(1));  // it has a cache now
    for (SizeClass c = 1; c < kSizeClasses; ++c) cma_free(cma_malloc(ClassBytes(c)));
    for (SizeClass c = 1; c < kSizeClasses; ++c) kept += t_cache->depth(c) * ClassBytes(c);
    cma_thread_idle();
  }).join();

  EXPECT_GE(kept, kMediumMax);
  EXPECT_LE(kept, 800 * kKiB);
}

}  // namespace
}  // namespace cma
