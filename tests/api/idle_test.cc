// cma_thread_idle() and cma_release().
#include <errno.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/live_bytes.h"
#include "support/long_delay.h"
#include "support/one_cpu.h"

namespace {

using namespace cma_test;

void FillCache() {
  std::vector<void*> blocks;
  for (size_t i = 0; i < 3000; ++i) blocks.push_back(cma_malloc(i * 11 % 9000));
  for (void* block : blocks) cma_free(block);
}

TEST(ThreadIdleTest, TheThreadKeepsNothingAndCanGoOn) {
  FillCache();
  const cma_stats before = ProcessStats();

  cma_thread_idle();
  const cma_stats idle = ProcessStats();
  void* const block = cma_malloc(100);
  const cma_stats again = ProcessStats();

  EXPECT_GT(before.thread_cached_bytes, 0u);
  EXPECT_EQ(idle.thread_cached_bytes, 0u);
  EXPECT_EQ(idle.live_bytes, before.live_bytes);
  EXPECT_EQ(idle.threads + 1, before.threads);
  EXPECT_EQ(again.threads, before.threads);
  EXPECT_TRUE(AddsUp(idle));
  cma_free(block);
}

TEST(ThreadIdleTest, AThreadWithoutACacheMayCallItToo) {
  std::thread([] {
    errno = 0;
    cma_thread_idle();
    cma_thread_idle();
    EXPECT_EQ(errno, 0);
  }).join();
}

TEST(ThreadIdleTest, AThreadMayEndAfterIt) {
  const size_t before = ProcessStats().threads;
  for (int i = 0; i < 100; ++i) {
    std::thread([i] {
      FillCache();
      cma_thread_idle();
      if (i % 2 == 0) FillCache();
    }).join();
  }
  EXPECT_EQ(ProcessStats().threads, before);
}

TEST(ThreadIdleTest, BlocksOfOtherArenasGoHome) {
  std::vector<void*> blocks;
  std::thread([&] {
    for (int i = 0; i < 2000; ++i) blocks.push_back(cma_malloc(200));
  }).join();
  for (void* block : blocks) cma_free(block);

  cma_thread_idle();
  cma_release();  // opens what is on its way

  EXPECT_EQ(ProcessStats().thread_cached_bytes, 0u);
}

TEST(ThreadIdleTest, NothingIsLostInManyRounds) {
  const size_t before = ProcessStats().live_bytes;
  // In another arena there are other superblocks, and tables for them.
  std::thread([] {
    ASSERT_TRUE(StayOnThisCpu());
    const auto round = [] {
      FillCache();
      cma_thread_idle();
    };
    for (int i = 0; i < 3; ++i) round();

    // Where the machine is busy the other arena helps out for the first time at some point, with
    // depots and superblocks of its own. But what each round loses, were it 1 KiB of the 8 KiB of a
    // cache, shows in each of these stretches.
    size_t least_growth = SIZE_MAX;
    for (int stretch = 0; stretch < 3; ++stretch) {
      const size_t metadata = ProcessStats().metadata_bytes;
      for (int i = 0; i < 300; ++i) round();
      least_growth = std::min(least_growth, ProcessStats().metadata_bytes - metadata);
    }
    EXPECT_LT(least_growth, 200 * kKiB);
  }).join();
  EXPECT_EQ(ProcessStats().live_bytes, before);
}

TEST(ReleaseTest, SaysHowMuchWentBack) {
  cma_release();
  void* const block = cma_malloc(900 * kKiB);
  memset(block, 1, 900 * kKiB);
  cma_free(block);
  const size_t before = ProcessStats().returned_bytes;

  const size_t released = cma_release();

  EXPECT_GE(released, 900 * kKiB);
  EXPECT_EQ(ProcessStats().returned_bytes - before, released);
  EXPECT_EQ(cma_release(), 0u);
}

}  // namespace
