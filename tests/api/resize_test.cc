// cma_try_resize(), cma_malloc_sized(), cma_aligned_calloc() and cma_aligned_realloc().
#include <errno.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/live_bytes.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

uintptr_t Address(const void* block) { return reinterpret_cast<uintptr_t>(block); }

TEST(TryResizeTest, SaysWhatTheBlockHasAfterwards) {
  for (const size_t from : InterestingSizes(4 * kMiB)) {
    for (const size_t to : {from / 3, from, from + from / 2}) {
      void* const block = cma_malloc(from);
      FillPattern(block, from, 1);

      const size_t usable = cma_try_resize(block, to);

      if (usable != 0) {
        EXPECT_GE(usable, to);
        EXPECT_EQ(usable, cma_malloc_usable_size(block)) << from << " to " << to;
        EXPECT_EQ(FindDamage(block, std::min(from, to) / 8 * 8, 1), kIntact);
        FillPattern(block, to, 2);
      } else {
        EXPECT_GT(to, from) << "shrinking does not fail";
        EXPECT_EQ(FindDamage(block, from, 1), kIntact);
      }
      cma_free(block);
    }
  }
}

TEST(TryResizeTest, SmallBlocksStayAsTheyAre) {
  void* const block = cma_malloc(100);

  EXPECT_EQ(cma_try_resize(block, 112), 112u);
  EXPECT_EQ(cma_try_resize(block, 113), 0u);
  EXPECT_EQ(cma_try_resize(block, 1), 112u);

  cma_free(block);
}

TEST(TryResizeTest, ALargeBlockGrowsIntoFreeMemoryAndGivesItBack) {
  void* const block = cma_malloc(100 * kKiB);
  void* blocks[2] = {cma_malloc(600 * kKiB), cma_malloc(600 * kKiB)};
  // Whichever lies behind it.
  for (void* neighbour : blocks) cma_free(neighbour);
  const size_t live = ProcessStats().live_bytes;
  const size_t grown = cma_try_resize(block, 110 * kKiB);

  EXPECT_EQ(ProcessStats().live_bytes, grown == 0 ? live : live + grown - 100 * kKiB);
  EXPECT_LT(cma_try_resize(block, 20 * kKiB), 24 * kKiB);
  EXPECT_LT(ProcessStats().live_bytes, live - 75 * kKiB);
  cma_free(block);
}

TEST(TryResizeTest, AHugeBlockShrinksByPages) {
  void* const block = cma_malloc(16 * kMiB);
  const size_t live = ProcessStats().live_bytes;

  EXPECT_EQ(cma_try_resize(block, 5 * kMiB), 5 * kMiB);
  EXPECT_EQ(ProcessStats().live_bytes, live - 11 * kMiB);
  const size_t least = cma_try_resize(block, 100);
  EXPECT_GT(least, 1 * kMiB);
  EXPECT_LE(least, 1 * kMiB + 64 * kKiB);

  cma_free(block);
}

TEST(TryResizeTest, ImpossibleSizesAndNullGiveZero) {
  errno = 0;
  for (const size_t size : {size_t{100}, 100 * kKiB, 8 * kMiB}) {
    void* const block = cma_malloc(size);
    EXPECT_EQ(cma_try_resize(block, SIZE_MAX), 0u);
    EXPECT_EQ(cma_try_resize(block, PTRDIFF_MAX), 0u);
    EXPECT_EQ(cma_try_resize(block, size_t{1} << 46), 0u);
    EXPECT_GE(cma_malloc_usable_size(block), size);
    cma_free(block);
  }
  EXPECT_EQ(cma_try_resize(nullptr, 10), 0u);
  EXPECT_EQ(errno, 0);
}

TEST(TryResizeTest, BlocksOfAHeapStayChargedForWhatTheyHave) {
  cma_heap* const heap = cma_heap_create("resize", 0);
  for (const size_t from : InterestingSizes(4 * kMiB)) {
    void* const block = cma_heap_malloc(heap, from);
    for (const size_t to : {from / 3, from * 2, from}) {
      cma_try_resize(block, to);
      EXPECT_EQ(HeapStats(heap).live_bytes, cma_malloc_usable_size(block)) << from << " to " << to;
    }
    cma_free(block);
  }
  EXPECT_EQ(HeapStats(heap).live_bytes, 0u);
  cma_heap_destroy(heap);
}

TEST(MallocSizedTest, AllBytesThatItNamesCanBeUsed) {
  for (const size_t size : InterestingSizes(4 * kMiB)) {
    const cma_sized_block sized = cma_malloc_sized(size);
    ASSERT_NE(sized.block, nullptr);
    EXPECT_GE(sized.bytes, std::max<size_t>(size, 1));
    EXPECT_GE(sized.bytes, cma_good_size(size));
    EXPECT_LE(sized.bytes, cma_malloc_usable_size(sized.block));
    FillPattern(sized.block, sized.bytes, 1);
    cma_free(sized.block);
  }
}

TEST(MallocSizedTest, FailureIsNullAndZero) {
  errno = 0;

  const cma_sized_block sized = cma_malloc_sized(PTRDIFF_MAX);

  EXPECT_EQ(sized.block, nullptr);
  EXPECT_EQ(sized.bytes, 0u);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(AlignedCallocTest, BlocksAreAlignedAndZero) {
  for (size_t alignment = 1; alignment <= 4 * kMiB; alignment *= 4) {
    for (const size_t size : {1, 100, 1000, 3000, 40'000, 900'000, 3'000'000}) {
      for (int round = 0; round < 2; ++round) {
        void* const block = cma_aligned_calloc(alignment, size, 1);
        ASSERT_NE(block, nullptr);
        EXPECT_EQ(Address(block) % alignment, 0u);
        EXPECT_TRUE(IsZero(block, size)) << size << " at " << alignment;
        memset(block, 0xff, size);
        cma_free(block);
      }
    }
  }
}

TEST(AlignedCallocTest, BadArgumentsFail) {
  EXPECT_EQ(cma_aligned_calloc(24, 1, 1), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(cma_aligned_calloc(0, 1, 1), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(cma_aligned_calloc(64, SIZE_MAX / 2, 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(cma_aligned_calloc(64, PTRDIFF_MAX, 2), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(AlignedReallocTest, ContentsAndAlignmentStayOnTheWayUpAndDown) {
  for (size_t alignment = 1; alignment <= 1 * kMiB; alignment *= 4) {
    void* block = cma_aligned_realloc(nullptr, alignment, 8);
    size_t kept = 8;
    FillPattern(block, kept, 4);
    for (const size_t size :
         {40, 1000, 5000, 4000, 70'000, 2'000'000, 6'000'000, 3'000'000, 500'000, 6000, 16}) {
      block = cma_aligned_realloc(block, alignment, size);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(Address(block) % alignment, 0u) << size << " at " << alignment;
      EXPECT_EQ(FindDamage(block, std::min<size_t>(kept, size / 8 * 8), 4), kIntact);
      kept = size / 8 * 8;
      FillPattern(block, kept, 4);
    }
    EXPECT_EQ(cma_aligned_realloc(block, alignment, 0), nullptr);
  }
}

TEST(AlignedReallocTest, ABlockThatWasNotAlignedIsMoved) {
  void* blocks[20];
  for (void*& block : blocks) block = cma_malloc(100);
  for (void*& block : blocks) {
    block = cma_aligned_realloc(block, 256, 100);
    EXPECT_EQ(Address(block) % 256, 0u);
    cma_free(block);
  }
}

TEST(AlignedReallocTest, FailureLeavesTheBlock) {
  void* const block = cma_malloc(100);
  FillPattern(block, 100, 6);

  EXPECT_EQ(cma_aligned_realloc(block, 64, PTRDIFF_MAX), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(cma_aligned_realloc(block, 3, 10), nullptr);
  EXPECT_EQ(errno, EINVAL);

  EXPECT_EQ(FindDamage(block, 100, 6), kIntact);
  cma_free(block);
}

}  // namespace
