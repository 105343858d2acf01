// What a thread costs that has allocated a little and now waits.
#include <gtest/gtest.h>
#include <pthread.h>
#include <string.h>

#include <thread>

#include <cma/cma.h>

#include "base/units.h"
#include "cache/thread_cache.h"
#include "support/one_cpu.h"
#include "support/process_memory.h"
#include "support/sanitizer.h"

namespace cma {
namespace {

// Before the first allocation: all threads work with one arena.
const bool g_prepared = cma_test::StayOnThisCpu();

constexpr size_t kThreads = 500;

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

  // 4 KiB for the cache, and the blocks.
  EXPECT_LE(growth, kThreads * 7 * kKiB);
}

// What README's Limits say of idle threads.
TEST(IdleThreadsTest, WhatAThreadKeepsOfEverySizeIsBounded) {
  cma_free(cma_malloc(1));
  size_t kept = 0;

  std::thread([&kept] {
    for (SizeClass c = 1; c < kSizeClasses; ++c) cma_free(cma_malloc(ClassBytes(c)));
    for (SizeClass c = 1; c < kSizeClasses; ++c) kept += t_cache->depth(c) * ClassBytes(c);
  }).join();

  EXPECT_GE(kept, kMediumMax);
  EXPECT_LE(kept, 800 * kKiB);
}

}  // namespace
}  // namespace cma
