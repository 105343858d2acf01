// A thread whose arena would have to grow goes to one that has memory.
#include <gtest/gtest.h>

#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "support/two_arenas.h"

namespace cma {
namespace {

class MemoryElsewhereTest : public cma_test::TwoArenas {
 protected:
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
    LockGuard guard(other_->lock());
    other_->DrainInbox();
  }

  // Allocates more than a superblock holds of `bytes` each.
  void GrowBy(size_t bytes) {
    for (size_t i = 0; i < 2 * kSuperblockBytes / bytes; ++i) left_.push_back(cma_malloc(bytes));
  }
};

TEST_F(MemoryElsewhereTest, TheThreadMovesThereAndStaysAWhile) {
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
