// Blocks of other arenas than the freeing thread's. The thread stays on one CPU and so with one
// arena, and takes what it frees from another one directly.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "support/one_cpu.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::kIntact;

// Before the first allocation. Nobody takes in what was posted because time has passed.
const bool g_prepared =
    cma_test::StayOnThisCpu() &&
    setenv("CMA_OPTIONS", "arenas=4,background_thread=0,release_delay_ms=1h", 1) == 0;

class ForeignBlocksTest : public testing::Test {
 protected:
  ForeignBlocksTest() {
    cma_free(cma_malloc(16));
    ThreadCache::FlushCurrent();
    other_ = g_heap.arenas.At(static_cast<size_t>(t_cache->arena->id()) + 1);
  }

  // Blocks that another thread is supposed to have allocated.
  std::vector<void*> TakeFromOther(size_t bytes, size_t count) {
    std::vector<void*> blocks(count);
    LockGuard guard(other_->lock());
    for (size_t n = 0; n < count;) {
      n += other_->TakeBlocks(ClassOf(bytes), reinterpret_cast<std::byte**>(blocks.data() + n),
                              count - n);
    }
    for (void* block : blocks) KeyOf(AddressOf(block)) = 0;
    return blocks;
  }

  size_t LentByOther() {
    LockGuard guard(other_->lock());
    other_->DrainInbox();
    const ArenaStats stats = other_->Stats();
    return stats.small_lent_bytes + stats.run_lent_bytes;
  }

  Arena* other_;
};

TEST_F(ForeignBlocksTest, TheyWaitInTheOutboxAndGoHomeWithTheFlush) {
  ASSERT_TRUE(g_prepared);
  ASSERT_EQ(g_heap.arenas.count(), 4u);
  for (void* block : TakeFromOther(64, 10)) cma_free(block);
  for (void* block : TakeFromOther(3000, 3)) cma_free(block);

  const size_t waiting = 10 * 64 + 3 * ClassBytes(ClassOf(3000));
  EXPECT_EQ(t_cache->outbox.bytes(), waiting);
  EXPECT_EQ(LentByOther(), waiting);
  ThreadCache::FlushCurrent();

  EXPECT_EQ(t_cache->outbox.bytes(), 0u);
  EXPECT_EQ(LentByOther(), 0u);
}

TEST_F(ForeignBlocksTest, TheyAreNeverGivenOutByTheThreadThatFreedThem) {
  std::vector<void*> own_blocks;
  const auto allocate = [&own_blocks](int count) {
    for (int i = 0; i < count; ++i) own_blocks.push_back(cma_malloc(64));
  };
  allocate(1000);  // the list is in use, and runs low
  for (void* block : TakeFromOther(64, 300)) cma_free(block);
  allocate(1000);

  for (void* own : own_blocks) {
    const uint32_t unit = g_address_map.Unit(AddressOf(own));
    ASSERT_EQ(AddressMap::Owner(unit), t_cache->arena->id());
    cma_free(own);
  }
  ThreadCache::FlushCurrent();
  EXPECT_EQ(LentByOther(), 0u);
}

TEST_F(ForeignBlocksTest, ManyOfThemGoHomeByThemselves) {
  const std::vector<void*> blocks = TakeFromOther(64, 10'000);

  for (void* block : blocks) cma_free(block);

  EXPECT_LE(t_cache->outbox.bytes(), 64 * kKiB);
  EXPECT_LE(LentByOther(), 64 * kKiB);
  ThreadCache::FlushCurrent();
  EXPECT_EQ(LentByOther(), 0u);
}

// A miss takes them in.
TEST_F(ForeignBlocksTest, ThoseThatComeHomeGoIntoTheListsOfTheThreadThere) {
  constexpr int kBlocks = 20;
  std::vector<void*> blocks;
  const auto allocate = [&blocks](int count) {
    for (int i = 0; i < count; ++i) blocks.push_back(cma_malloc(64));
  };
  allocate(1000);  // the list grows
  while (t_cache->depth(ClassOf(64)) != 0) allocate(1);
  Parcel parcel = {};
  parcel.sender = other_;
  parcel.size = ParcelSize::kLarge;
  parcel.bytes = kBlocks * 64;
  std::vector<void*> home(blocks.end() - kBlocks, blocks.end());
  blocks.resize(blocks.size() - kBlocks);
  for (void* block : home) Parcel::Put(parcel.Place(parcel.count++), AddressOf(block));
  t_cache->arena->Post(&parcel);

  const size_t before = blocks.size();
  allocate(kBlocks);

  EXPECT_EQ(t_cache->depth(ClassOf(64)), 0u);
  EXPECT_TRUE(std::is_permutation(blocks.begin() + static_cast<ptrdiff_t>(before), blocks.end(),
                                  home.begin(), home.end()));
  ASSERT_EQ(other_->TakeEmptyParcels(ParcelSize::kLarge), &parcel);
  for (void* block : blocks) cma_free(block);
  ThreadCache::FlushCurrent();
}

TEST_F(ForeignBlocksTest, OnesAbove128KiBArePostedAtOnceAndAlone) {
  void* const small = TakeFromOther(64, 1)[0];
  std::byte* const block = other_->TakeRun(Outbox::kParcelBytes + kLargeStep, 16, nullptr);
  cma_free(small);

  cma_free(block);

  EXPECT_TRUE(other_->HasPost());
  EXPECT_EQ(t_cache->outbox.bytes(), 64u);
  {
    LockGuard guard(other_->lock());
    other_->DrainInbox();
  }
  EXPECT_EQ(LentByOther(), 64u);
  ThreadCache::FlushCurrent();
  EXPECT_EQ(LentByOther(), 0u);
}

// As the thread that allocates them may be idle.
TEST_F(ForeignBlocksTest, LargeOnesThatNobodyTakesInDoNotPileUp) {
  constexpr size_t kBlocks = 40;
  std::vector<std::byte*> blocks(kBlocks);
  for (std::byte*& block : blocks) block = other_->TakeRun(kLargeMax, 16, nullptr);

  size_t most = 0;
  for (std::byte* block : blocks) {
    cma_free(block);
    LockGuard guard(other_->lock());
    most = std::max(most, other_->Stats().inbox_bytes);
  }

  EXPECT_GT(most, 0u);
  EXPECT_LE(most, 8 * kMiB);
}

TEST_F(ForeignBlocksTest, TheyCanBeResizedAndMeasured) {
  void* block = TakeFromOther(64, 1)[0];
  EXPECT_EQ(cma_malloc_usable_size(block), 64u);
  FillPattern(block, 64, 1);

  block = cma_realloc(block, 10'000);

  EXPECT_EQ(FindDamage(block, 64, 1), kIntact);
  cma_free(block);
  ThreadCache::FlushCurrent();
  EXPECT_EQ(LentByOther(), 0u);
}

// Holes between blocks that live on: no superblock of the other arena can go back to the OS.
TEST_F(ForeignBlocksTest, FreeOnesAreTakenBeforeNullIsReturned) {
  for (const size_t bytes : {64u, 3000u, 71'680u}) {
    constexpr size_t kHeldBytes = 64 * kMiB;
    std::vector<void*> blocks;
    if (bytes <= kMediumMax) {
      blocks = TakeFromOther(bytes, kHeldBytes / bytes);
    } else {
      while (blocks.size() < kHeldBytes / bytes) {
        blocks.push_back(other_->TakeRun(bytes, 16, nullptr));
      }
    }
    size_t holes = 0;
    for (size_t i = 0; i < blocks.size(); i += 2, ++holes) cma_free(blocks[i]);
    ThreadCache::FlushCurrent();
    cma_malloc_trim(0);
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    const rlimit no_more = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &no_more), 0);

    size_t taken = 0;
    void* first = nullptr;
    while (void* const block = cma_malloc(bytes)) {
      memcpy(block, &first, sizeof first);
      first = block;
      ++taken;
    }

    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    EXPECT_GE(taken, holes) << bytes;
    while (first != nullptr) {
      void* const block = first;
      memcpy(&first, block, sizeof first);
      cma_free(block);
    }
    for (size_t i = 1; i < blocks.size(); i += 2) cma_free(blocks[i]);
    ThreadCache::FlushCurrent();
    EXPECT_EQ(LentByOther(), 0u);
  }
}

using ForeignBlocksDeathTest = ForeignBlocksTest;

// The entry that its upper bits hide is that of another block.
TEST_F(ForeignBlocksDeathTest, AnAddressThatNoBlockCanHaveIsReported) {
  void* const block = TakeFromOther(64, 1)[0];

  EXPECT_DEATH(cma_free(reinterpret_cast<void*>(AddressOf(block) | uintptr_t{1} << 55)), "invalid");
  EXPECT_DEATH(cma_free(static_cast<std::byte*>(block) + 16), "invalid");
  cma_free(block);
  ThreadCache::FlushCurrent();
  EXPECT_EQ(LentByOther(), 0u);
}

TEST_F(ForeignBlocksDeathTest, FreeingOneTwiceIsReportedWhileItWaits) {
  void* const block = TakeFromOther(64, 1)[0];
  cma_free(block);

  EXPECT_DEATH(cma_free(block), "double free of 0x[0-9a-f]+ .size class 64 B.");
}

// The first free has put the block into a list of its owner's thread, the second one comes by
// parcel from another arena's.
TEST_F(ForeignBlocksDeathTest, FreeingABlockThatWaitsInItsOwnersListIsReported) {
  for (const size_t bytes : {64u, 3000u}) {
    void* const block = cma_malloc(bytes);
    cma_free(block);
    Parcel parcel = {};
    parcel.sender = other_;
    parcel.size = ParcelSize::kLarge;
    parcel.count = 1;
    parcel.bytes = ClassBytes(ClassOf(bytes));
    Parcel::Put(parcel.Place(0), AddressOf(block));

    EXPECT_DEATH(
        {
          Arena* const home = t_cache->arena;
          home->Post(&parcel);
          LockGuard guard(home->lock());
          home->DrainInbox();
        },
        "double free of 0x")
        << bytes;
  }
}

TEST_F(ForeignBlocksDeathTest, FreeingOneTwiceIsReportedWhenItComesHome) {
  void* const block = TakeFromOther(64, 1)[0];
  cma_free(block);
  ThreadCache::FlushCurrent();
  ASSERT_EQ(LentByOther(), 0u);

  EXPECT_DEATH(
      {
        cma_free(block);
        ThreadCache::FlushCurrent();
        LentByOther();
      },
      "double free of 0x");
}

}  // namespace
}  // namespace cma
