// A thread whose arena would have to grow goes to one that has memory.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "support/one_cpu.h"

namespace cma {
namespace {

// Before the first allocation.
const bool g_prepared =
    cma_test::StayOnThisCpu() && setenv("CMA_OPTIONS", "arenas=2,background_thread=0", 1) == 0;

class MemoryElsewhereTest : public testing::Test {
 protected:
  MemoryElsewhereTest() {
    cma_free(cma_malloc(16));
    home_ = t_cache->arena;
    other_ = g_heap.arenas.At(1 - static_cast<size_t>(home_->id()));
  }

  // 3 MiB in each of so many superblocks that something lives in.
  void FreeInOther(size_t superblocks) {
    std::vector<std::byte*> runs(superblocks * 4);
    for (std::byte*& run : runs) run = other_->TakeRun(kLargeMax, kLargeMax, nullptr);
    for (std::byte* run : runs) {
      if (AddressOf(run) % kSuperblockBytes == 0) {
        left_.push_back(run);
      } else {
        cma_free(run);
      }
    }
  }

  // Allocates more than a superblock holds of `bytes` each.
  void GrowBy(size_t bytes) {
    for (size_t i = 0; i < 2 * kSuperblockBytes / bytes; ++i) left_.push_back(cma_malloc(bytes));
  }

  void TearDown() override {
    for (void* block : left_) cma_free(block);
    cma_malloc_trim(0);
  }

  Arena* home_;
  Arena* other_;
  std::vector<void*> left_;
};

TEST_F(MemoryElsewhereTest, TheThreadMovesThereAndStaysAWhile) {
  ASSERT_TRUE(g_prepared);
  FreeInOther(6);

  GrowBy(1000);

  EXPECT_EQ(t_cache->arena, other_);
  for (int i = 0; i < 100; ++i) {
    left_.push_back(cma_malloc(1000));
    cma_free(cma_malloc(kLargeMax));
  }
  EXPECT_EQ(t_cache->arena, other_);
  ThreadCache::FlushCurrent();
}

TEST_F(MemoryElsewhereTest, ItStaysWhereItIsIfThereIsLittle) {
  FreeInOther(1);
  Arena* const before = t_cache->arena;

  GrowBy(1000);

  EXPECT_EQ(t_cache->arena, before);
}

}  // namespace
}  // namespace cma
