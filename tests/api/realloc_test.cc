// cma_realloc() and cma_reallocarray().
#include <errno.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

constexpr uint64_t kKey = 0x5eed;

void* FilledBlock(size_t size) {
  void* const block = cma_malloc(size);
  if (block != nullptr) FillPattern(block, size, kKey);
  return block;
}

// Takes a filled block of `from` bytes to `to` bytes and looks at what it holds then.
void ExpectContentsStay(size_t from, size_t to) {
  const size_t kept = std::min(from, to) / 8 * 8;  // whole words of the pattern

  void* const block = cma_realloc(FilledBlock(from), to);

  ASSERT_NE(block, nullptr) << from << " to " << to << " bytes";
  EXPECT_EQ(FindDamage(block, kept, kKey), kIntact) << from << " to " << to << " bytes";
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u) << from << " to " << to << " bytes";
  EXPECT_GE(cma_malloc_usable_size(block), to);
  FillPattern(block, to, ~kKey);  // all of it can be written
  cma_free(block);
}

TEST(ReallocTest, NullGrowsLikeMalloc) {
  void* const block = cma_realloc(nullptr, 100);

  ASSERT_NE(block, nullptr);
  EXPECT_GE(cma_malloc_usable_size(block), 100u);
  cma_free(block);
}

TEST(ReallocTest, NullWithSizeZeroGivesABlock) {
  void* const block = cma_realloc(nullptr, 0);

  EXPECT_NE(block, nullptr);
  cma_free(block);
}

TEST(ReallocTest, SizeZeroFreesTheBlockAndReturnsNull) {
  for (const size_t size : InterestingSizes(8 * kMiB)) {
    void* const block = cma_malloc(size);
    cma_stats before, after;
    cma_get_stats(&before);
    const size_t usable = cma_malloc_usable_size(block);

    void* const result = cma_realloc(block, 0);

    cma_get_stats(&after);
    EXPECT_EQ(result, nullptr) << size << " bytes";
    EXPECT_EQ(before.live_bytes - after.live_bytes, usable) << size << " bytes";
  }
}

TEST(ReallocTest, ContentsStayOverEverySmallStep) {
  for (size_t from = 0; from <= 1040; from += 8) {
    for (const size_t to :
         {from + 1, from + 15, from + 16, from + 17, from / 2 + 1, from * 2 + 1}) {
      ExpectContentsStay(from, to);
    }
  }
}

TEST(ReallocTest, ContentsStayBetweenAnyTwoKindsOfSizes) {
  const size_t sizes[] = {1,        24,        1000,         1024,          1025,
                          1040,     4096,      32 * kKiB,    32 * kKiB + 1, 100 * kKiB,
                          kMiB - 1, kMiB,      kMiB + 1,     4 * kMiB - 1,  4 * kMiB,
                          5 * kMiB, 64 * kMiB, 64 * kMiB + 1};
  for (const size_t from : sizes) {
    for (const size_t to : sizes) ExpectContentsStay(from, to);
  }
}

TEST(ReallocTest, ContentsStayAcrossNeighbouringSizesUpAndDown) {
  const std::vector<size_t> sizes = InterestingSizes(4 * kMiB + 1);
  for (size_t i = 1; i < sizes.size(); ++i) {
    ExpectContentsStay(sizes[i - 1], sizes[i]);
    if (sizes[i - 1] != 0) ExpectContentsStay(sizes[i], sizes[i - 1]);
  }
}

TEST(ReallocTest, ABlockThatGrowsInStepsKeepsAllItGot) {
  constexpr size_t kStep = 4040;
  void* block = nullptr;
  void* between[3000] = {};
  size_t size = 0;

  for (int i = 0; i < 3000; ++i) {
    block = cma_realloc(block, size + kStep);
    ASSERT_NE(block, nullptr);
    memset(static_cast<char*>(block) + size, i % 251, kStep);
    size += kStep;
    if (i % 7 == 0) between[i] = cma_malloc(size / 3);  // in the way of growing in place
  }

  const auto* bytes = static_cast<const unsigned char*>(block);
  size_t wrong = 0;
  for (size_t i = 0; i < size; ++i) wrong += bytes[i] != i / kStep % 251;
  EXPECT_EQ(wrong, 0u);
  cma_free(block);
  for (void* other : between) cma_free(other);
}

TEST(ReallocTest, ShrinkingAndGrowingInPlaceLeavesTheNeighboursAlone) {
  for (const size_t size : {20 * kKiB, 100 * kKiB, 700 * kKiB, 3 * kMiB}) {
    void* const left = FilledBlock(size);
    void* block = FilledBlock(size);
    void* const right = FilledBlock(size);
    for (const size_t next : {size / 2, size - 1, size / 3, size, size + size / 2, size / 4}) {
      block = cma_realloc(block, next);
      ASSERT_NE(block, nullptr);
      memset(block, 0xee, cma_malloc_usable_size(block));
    }

    EXPECT_EQ(FindDamage(left, size, kKey), kIntact) << size << " bytes";
    EXPECT_EQ(FindDamage(right, size, kKey), kIntact) << size << " bytes";
    cma_free(left);
    cma_free(block);
    cma_free(right);
  }
}

// Blocks of other kinds begin above these.
constexpr size_t kBorders[] = {16 * kKiB, 1 * kMiB};

TEST(ReallocTest, BackAndForthAcrossABorderTheBlockStays) {
  for (const size_t border : kBorders) {
    void* block = FilledBlock(border + 1);
    for (const size_t size : {border, border + 1, border - border / 16, border + 100, border}) {
      void* const before = block;
      block = cma_realloc(block, size);
      EXPECT_EQ(block, before) << border << ", " << size << " bytes";
      EXPECT_GE(cma_malloc_usable_size(block), size);
    }

    EXPECT_EQ(FindDamage(block, border - border / 16, kKey), kIntact) << border << " bytes";
    cma_free(block);
  }
}

TEST(ReallocTest, ABlockThatHasCrossedABorderOnItsWayUpStaysOnItsWayDown) {
  for (const size_t border : kBorders) {
    void* const grown = cma_realloc(FilledBlock(border), border + 1);
    ASSERT_NE(grown, nullptr);

    void* const block = cma_realloc(grown, border);

    EXPECT_EQ(block, grown) << border << " bytes";
    EXPECT_EQ(FindDamage(block, border, kKey), kIntact) << border << " bytes";
    cma_free(block);
  }
}

TEST(ReallocTest, OneThatShrinksIsAHalfTooLongAtMost) {
  for (const size_t border : kBorders) {
    for (size_t from = border + 1; from < 4 * border; from += border / 3) {
      for (size_t to = border / 4; to < from; to += border / 19) {
        void* const block = cma_realloc(cma_malloc(from), to);

        EXPECT_LE(cma_malloc_usable_size(block), to + to / 2 + kKiB) << from << " to " << to;
        cma_free(block);
      }
    }
  }
}

TEST(ReallocTest, AHugeBlockThatShrinksByLittleStaysAsItIs) {
  for (const size_t size : {1 * kMiB + 60 * kKiB, 3 * kMiB}) {
    void* const block = cma_malloc(size);
    const size_t usable = cma_malloc_usable_size(block);

    EXPECT_EQ(cma_realloc(block, size - 50 * kKiB), block);

    EXPECT_EQ(cma_malloc_usable_size(block), usable) << size << " bytes";
    EXPECT_EQ(cma_realloc(block, size), block);
    EXPECT_EQ(cma_malloc_usable_size(block), usable) << size << " bytes";
    cma_free(block);
  }
}

TEST(ReallocTest, AHugeBlockThatShrinksGivesBackAllButAnEighth) {
  for (const size_t to : {896 * kKiB + 1, 1 * kMiB, 1 * kMiB + 1}) {
    void* const block = cma_malloc(3 * kMiB);
    void* const shorter = cma_realloc(block, to);
    EXPECT_EQ(shorter, block) << to << " bytes";
    EXPECT_LE(cma_malloc_usable_size(shorter), 1 * kMiB + 64 * kKiB) << "as pages are that long";
    cma_free(shorter);
  }

  cma_thread_idle();  // longer ones may wait
  void* const block = cma_realloc(cma_malloc(3 * kMiB), 896 * kKiB);

  EXPECT_EQ(cma_malloc_usable_size(block), 896 * kKiB);
  cma_free(block);
}

TEST(ReallocTest, TheSizeAskedForLastIsTheOneToFreeItBy) {
  for (const size_t border : kBorders) {
    for (const size_t size : {border, border - border / 16, border / 2, border + 1}) {
      cma_free_sized(cma_realloc(cma_malloc(border + 1), size), size);
      void* const block = cma_aligned_alloc(64, border + 64);
      cma_free_aligned_sized(cma_aligned_realloc(block, 64, size), 64, size);
    }
  }
}

TEST(ReallocTest, AlignedBlocksKeepTheirContents) {
  for (const size_t alignment : {size_t{64}, 4 * kKiB, 128 * kKiB, 4 * kMiB}) {
    for (const size_t size : {100, 5000, 70000, 2000000}) {
      void* const aligned = cma_aligned_alloc(alignment, size);
      ASSERT_NE(aligned, nullptr);
      FillPattern(aligned, size, kKey);

      void* const block = cma_realloc(aligned, size * 3);

      EXPECT_EQ(FindDamage(block, size / 8 * 8, kKey), kIntact) << size << " bytes";
      cma_free(block);
    }
  }
}

TEST(ReallocTest, FailureLeavesTheOldBlockUntouched) {
  for (const size_t size : InterestingSizes(8 * kMiB)) {
    if (size == 0) continue;
    void* const block = FilledBlock(size);
    for (const size_t impossible :
         {SIZE_MAX, SIZE_MAX / 9 * 8 + 7, SIZE_MAX / 9 * 8 + 20'000, size_t{PTRDIFF_MAX} + 1,
          size_t{PTRDIFF_MAX}, size_t{1} << 47}) {
      errno = 0;

      void* const result = cma_realloc(block, Opaque(impossible));

      EXPECT_EQ(result, nullptr) << size << " to " << impossible << " bytes";
      EXPECT_EQ(errno, ENOMEM) << size << " to " << impossible << " bytes";
    }
    EXPECT_EQ(FindDamage(block, size, kKey), kIntact) << size << " bytes";
    cma_free(block);
  }
}

TEST(ReallocTest, SuccessKeepsErrno) {
  void* block = nullptr;
  for (const size_t size : InterestingSizes(64 * kMiB)) {
    if (size == 0) continue;
    errno = ERANGE;

    block = cma_realloc(block, size);

    EXPECT_EQ(errno, ERANGE) << size << " bytes";
  }
  cma_free(block);
}

TEST(ReallocArrayTest, ResizesToTheProduct) {
  void* const block = cma_reallocarray(FilledBlock(80), 1000, 24);

  ASSERT_NE(block, nullptr);
  EXPECT_GE(cma_malloc_usable_size(block), 24000u);
  EXPECT_EQ(FindDamage(block, 80, kKey), kIntact);
  cma_free(block);
}

TEST(ReallocArrayTest, AnOverflowingProductFailsAndKeepsTheBlock) {
  void* const block = FilledBlock(80);
  const size_t half = size_t{1} << 32;
  const size_t pairs[][2] = {{SIZE_MAX, 2},         {2, SIZE_MAX},         {half, half},
                             {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX / 3 + 1, 3}, {SIZE_MAX, SIZE_MAX}};
  for (const auto& [count, size] : pairs) {
    errno = 0;

    void* const result = cma_reallocarray(block, Opaque(count), Opaque(size));

    EXPECT_EQ(result, nullptr) << count << " times " << size;
    EXPECT_EQ(errno, ENOMEM) << count << " times " << size;
  }
  EXPECT_EQ(FindDamage(block, 80, kKey), kIntact);
  cma_free(block);
}

TEST(ReallocArrayTest, AProductOfZeroFreesTheBlock) {
  EXPECT_EQ(cma_reallocarray(cma_malloc(100), 0, 16), nullptr);
  EXPECT_EQ(cma_reallocarray(cma_malloc(100), 16, 0), nullptr);
}

}  // namespace
