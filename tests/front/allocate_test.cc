#include "front/allocate.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <string.h>

#include <random>
#include <vector>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "front/resize.h"
#include "options/options.h"
#include "support/opaque.h"
#include "support/pages.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::kIntact;
using cma_test::Opaque;

class AllocateTest : public testing::Test {
 protected:
  AllocateTest() {
    g_options.background_thread = 0;
    EnsureHeap();
    ThreadCache::FlushCurrent();
    g_heap.releaser.ReleaseAll();
    errno = 0;
  }

  // Sizes at, below and above each border between two kinds of blocks.
  static std::vector<size_t> BorderSizes() {
    std::vector<size_t> sizes;
    for (const size_t border :
         {size_t{0}, kMinAlignment, size_t{128}, kSmallMax, kSmallMax + 64, 4 * kKiB, kMediumMax,
          kMediumMax + kLargeStep, kUnitBytes, kLargeMax, kSuperblockBytes}) {
      for (const size_t size : {border - 1, border, border + 1}) {
        if (size <= 2 * kSuperblockBytes) sizes.push_back(size);
      }
    }
    return sizes;
  }
};

TEST_F(AllocateTest, AGoodSizeIsTheUsableSizeOfEverySize) {
  for (size_t size = 0; size <= kMediumMax + 2000; ++size) {
    void* const block = Allocate(size);
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(UsableBytes("test", block), GoodSize(size)) << size;
    ASSERT_GE(GoodSize(size), size);
    Deallocate(block);
  }
  for (size_t size = kMediumMax; size <= 3 * kLargeMax; size += 12'345) {
    void* const block = Allocate(size);
    ASSERT_EQ(UsableBytes("test", block), GoodSize(size)) << size;
    Deallocate(block);
    ThreadCache::FlushCurrent();
    g_heap.huge.Release(0, 0, ~size_t{0});
  }
}

TEST_F(AllocateTest, ASizeThatCannotBeHasNoGoodSize) {
  EXPECT_EQ(GoodSize(SIZE_MAX), 0u);
  EXPECT_EQ(GoodSize(size_t{PTRDIFF_MAX} + 1), 0u);
  EXPECT_EQ(GoodSize(size_t{PTRDIFF_MAX}), 0u);
}

TEST_F(AllocateTest, SizesAtTheBordersAreWritableToTheirEnds) {
  std::vector<void*> blocks;
  const std::vector<size_t> sizes = BorderSizes();
  for (const size_t size : sizes) {
    blocks.push_back(Allocate(size));
    FillPattern(blocks.back(), UsableBytes("test", blocks.back()), size);
  }

  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(FindDamage(blocks[i], UsableBytes("test", blocks[i]), sizes[i]), kIntact);
    Deallocate(blocks[i]);
  }
}

TEST_F(AllocateTest, EveryAlignmentHoldsForEverySize) {
  std::vector<void*> blocks;
  for (size_t alignment = 1; alignment <= 8 * kMiB; alignment *= 2) {
    for (const size_t size : BorderSizes()) {
      void* const block = AllocateAligned(alignment, size);

      ASSERT_NE(block, nullptr) << size << " at " << alignment;
      ASSERT_EQ(AddressOf(block) % alignment, 0u) << size << " at " << alignment;
      ASSERT_GE(UsableBytes("test", block), size) << size << " at " << alignment;
      memset(block, 1, size < 64 * kKiB ? size : 64 * kKiB);
      blocks.push_back(block);
    }
    // Some stay, so that the free runs in between are of all lengths.
    for (size_t i = 0; i < blocks.size(); i += 2) {
      Deallocate(blocks[i]);
      blocks[i] = blocks.back();
      blocks.pop_back();
    }
  }
  for (void* block : blocks) Deallocate(block);
}

TEST_F(AllocateTest, AnAlignmentBeyondTheAddressSpaceIsRefused) {
  for (unsigned shift = 48; shift < 64; ++shift) {
    errno = 0;
    EXPECT_EQ(AllocateAligned(size_t{1} << shift, 100), nullptr) << shift;
    EXPECT_EQ(errno, ENOMEM);
  }
}

TEST_F(AllocateTest, SizesThatOverflowTheirRoundingAreRefused) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, size_t{PTRDIFF_MAX},
                            size_t{PTRDIFF_MAX} + 1, size_t{PTRDIFF_MAX} - 4096}) {
    for (const size_t alignment : {size_t{1}, size_t{64}, 4 * kKiB, kGiB, size_t{1} << 63}) {
      errno = 0;
      EXPECT_EQ(AllocateAligned(alignment, Opaque(size)), nullptr);
      EXPECT_EQ(errno, ENOMEM);
    }
    errno = 0;
    EXPECT_EQ(AllocateZeroed(Opaque(size)), nullptr);
    EXPECT_EQ(errno, ENOMEM);
  }
}

TEST_F(AllocateTest, ZeroedBlocksAreZeroWhereverDirtyMemoryLies) {
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    std::vector<void*> blocks;
    for (int i = 0; i < 12; ++i) {
      const size_t size = kMediumMax + random() % (kLargeMax - kMediumMax);
      void* const block = AllocateZeroed(size);
      ASSERT_TRUE(IsZero(block, size)) << size;
      memset(block, 0xab, UsableBytes("test", block));
      blocks.push_back(block);
    }
    for (void* block : blocks) Deallocate(block);
  }
}

TEST_F(AllocateTest, AFreshZeroedBlockTouchesNoPage) {
  const size_t page = OsPageBytes();
  void* const block = AllocateZeroed(kLargeMax);
  const uintptr_t first = RoundUp(AddressOf(block), page);

  // The block's first page may have been read to look for a key.
  EXPECT_LE(CountPagesWithMemory(reinterpret_cast<void*>(first), kLargeMax - page), 1u);
  Deallocate(block);
}

TEST_F(AllocateTest, NoNewBlockCarriesTheKeyOfAnEarlierLife) {
  const uint64_t key = g_address_map.FreeKey();
  std::vector<void*> small;
  for (int i = 0; i < 40'000; ++i) small.push_back(Allocate(32));
  for (void* block : small) Deallocate(block);
  // The slabs become runs again, with the keys still in their memory.
  ThreadCache::FlushCurrent();

  for (const size_t size : {16u, 48u, 1000u, 2000u, 8000u, 32'768u, 40'000u, 300'000u}) {
    std::vector<void*> blocks;
    for (int i = 0; i < 10; ++i) blocks.push_back(Allocate(size));
    for (void* block : blocks) EXPECT_NE(KeyOf(AddressOf(block)), key) << size;
    for (void* block : blocks) {
      // What this asks of the key may not mistake the block for a free one.
      EXPECT_GE(UsableBytes("test", block), size);
      Deallocate(block);
    }
    ThreadCache::FlushCurrent();
  }
}

TEST_F(AllocateTest, AProgramMayHaveTheKeyInABlock) {
  for (const size_t size : {16u, 64u, 1024u, 2000u, 32'768u, 100'000u}) {
    void* block = Allocate(size);
    // As if copied out of memory that was not written.
    KeyOf(AddressOf(block)) = g_address_map.FreeKey();

    EXPECT_GE(UsableBytes("test", block), size);
    block = Reallocate(block, 2 * size);
    EXPECT_EQ(KeyOf(AddressOf(block)), g_address_map.FreeKey());
    Deallocate(block);
  }
}

TEST_F(AllocateTest, ABlockShrinksInPlaceByALittleOnly) {
  void* const block = Allocate(1000);

  EXPECT_EQ(Reallocate(block, 900), block);
  void* const moved = Reallocate(block, 100);

  EXPECT_NE(moved, block);
  EXPECT_EQ(UsableBytes("test", moved), GoodSize(100));
  Deallocate(moved);
}

TEST_F(AllocateTest, ALargeBlockGrowsInPlaceWhereThereIsRoom) {
  void* const block = Allocate(100 * kKiB);
  FillPattern(block, 100 * kKiB, 1);

  EXPECT_EQ(Reallocate(block, 300 * kKiB), block);

  EXPECT_GE(UsableBytes("test", block), 300 * kKiB);
  EXPECT_EQ(FindDamage(block, 100 * kKiB, 1), kIntact);
  Deallocate(block);
}

TEST_F(AllocateTest, ALargeBlockGrowsBeyondTheLargestInPlace) {
  void* const block = Allocate(300 * kKiB);
  FillPattern(block, 300 * kKiB, 1);

  EXPECT_EQ(Reallocate(block, kGrownMax), block);
  EXPECT_EQ(UsableBytes("test", block), kGrownMax);
  EXPECT_EQ(Reallocate(block, kLargeMax + kLargeStep), block) << "nor does it move to shrink";
  EXPECT_EQ(UsableBytes("test", block), kLargeMax + kLargeStep);
  void* const moved = Reallocate(block, kGrownMax + 1);

  EXPECT_NE(moved, block);
  EXPECT_EQ(FindDamage(moved, 300 * kKiB, 1), kIntact);
  Deallocate(moved);
}

TEST_F(AllocateTest, ALargeBlockThatShrinksFreesWhatItLeaves) {
  void* const block = Allocate(kLargeMax);

  EXPECT_EQ(Reallocate(block, 100 * kKiB), block);

  EXPECT_EQ(UsableBytes("test", block), 100 * kKiB);
  Deallocate(block);
}

TEST_F(AllocateTest, AHugeBlockMovesItsPagesAndCopiesNothing) {
  void* const block = Allocate(64 * kMiB);
  FillPattern(block, 4096, 1);
  auto* const end = static_cast<std::byte*>(block) + 64 * kMiB - 4096;
  FillPattern(end, 4096, 2);
  const size_t resident = CountPagesWithMemory(block, 64 * kMiB);

  void* const moved = Reallocate(block, 256 * kMiB);

  EXPECT_EQ(FindDamage(moved, 4096, 1), kIntact);
  EXPECT_EQ(FindDamage(static_cast<std::byte*>(moved) + 64 * kMiB - 4096, 4096, 2), kIntact);
  EXPECT_EQ(CountPagesWithMemory(moved, 64 * kMiB), resident);
  Deallocate(moved);
}

TEST_F(AllocateTest, AFailedReallocationLeavesTheBlock) {
  for (const size_t size : {100u, 2000u, 100'000u, 3'000'000u}) {
    void* const block = Allocate(size);
    FillPattern(block, size, size);
    errno = 0;

    EXPECT_EQ(Reallocate(block, Opaque(size_t{PTRDIFF_MAX})), nullptr);

    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(FindDamage(block, size, size), kIntact);
    Deallocate(block);
  }
}

}  // namespace
}  // namespace cma
