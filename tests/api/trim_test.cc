// cma_malloc_trim(): free memory goes back to the operating system at once.
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/long_delay.h"
#include "support/process_memory.h"
#include "support/sanitizer.h"

namespace {

using namespace cma_test;

constexpr size_t kTotal = 128 * kMiB;

// The blocks are kept in a list through their first words, so that only they take memory.
void FillAndFree(size_t size) {
  void* list = nullptr;
  for (size_t i = 0; i < kTotal / size; ++i) {
    void* const block = cma_malloc(size);
    ASSERT_NE(block, nullptr);
    memset(block, 1, size);
    memcpy(block, &list, sizeof(list));
    list = block;
  }
  while (list != nullptr) {
    void* const block = list;
    memcpy(&list, block, sizeof(list));
    cma_free(block);
  }
}

class TrimTest : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (kHasShadowMemory) GTEST_SKIP() << "the sanitizer's shadow is resident too";
    cma_malloc_trim(0);
  }
};

TEST_P(TrimTest, ReturnsWhatWasFreed) {
  const size_t before = ResidentBytes();
  FillAndFree(GetParam());

  cma_malloc_trim(0);

  EXPECT_LT(ResidentBytes(), before + kTotal / 20);
}

TEST_P(TrimTest, ReturnsWhatAnotherThreadFreed) {
  const size_t before = ResidentBytes();
  std::thread([] { FillAndFree(GetParam()); }).join();

  cma_malloc_trim(0);

  EXPECT_LT(ResidentBytes(), before + kTotal / 20);
}

TEST_P(TrimTest, ReturnsWhatAThreadFreedThatStillLives) {
  const size_t before = ResidentBytes();
  std::mutex mutex;
  std::condition_variable changed;
  bool freed = false, finished = false;
  std::thread worker([&] {
    FillAndFree(GetParam());
    std::unique_lock lock(mutex);
    freed = true;
    changed.notify_all();
    changed.wait(lock, [&] { return finished; });
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return freed; });

  cma_malloc_trim(0);

  EXPECT_LT(ResidentBytes(), before + kTotal / 20);
  finished = true;
  changed.notify_all();
  lock.unlock();
  worker.join();
}

INSTANTIATE_TEST_SUITE_P(Sizes, TrimTest,
                         testing::Values(16, 64, 400, 1024, 3000, 30 * kKiB, 100 * kKiB, kMiB,
                                         5 * kMiB),
                         [](const auto& size) { return std::to_string(size.param) + "_bytes"; });

TEST(TrimResultTest, IsOneIfMemoryWasReturnedAndZeroIfThereWasNone) {
  cma_malloc_trim(0);
  void* const block = cma_malloc(kMiB);
  memset(block, 1, kMiB);
  cma_free(block);

  const int first = cma_malloc_trim(0);
  const int second = cma_malloc_trim(0);

  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(TrimResultTest, LiveBlocksKeepTheirContents) {
  std::vector<unsigned char*> blocks;
  for (size_t i = 0; i < 20000; ++i) {
    blocks.push_back(static_cast<unsigned char*>(cma_malloc(100)));
    memset(blocks.back(), static_cast<int>(i % 251), 100);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % 64 != 0) cma_free(blocks[i]);
  }

  cma_malloc_trim(0);

  for (size_t i = 0; i < blocks.size(); i += 64) {
    EXPECT_EQ(blocks[i][0], i % 251);
    EXPECT_EQ(memcmp(blocks[i], blocks[i] + 1, 99), 0);
    cma_free(blocks[i]);
  }
}

TEST(TrimResultTest, BlocksAreGivenOutAgainAfterIt) {
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> blocks(1000);
    for (size_t i = 0; i < blocks.size(); ++i) {
      blocks[i] = cma_malloc(i * 50);
      ASSERT_NE(blocks[i], nullptr);
      memset(blocks[i], round, i * 50);
    }
    for (void* block : blocks) cma_free(block);
    cma_malloc_trim(0);
  }
}

}  // namespace
