#include "slabs/size_classes.h"

#include <gtest/gtest.h>

namespace cma {
namespace {

constexpr SizeClass kLast = kSizeClasses - 1;

TEST(SizeClassesTest, EverySizeHasTheSmallestClassThatHoldsIt) {
  for (size_t size = 1; size <= kMediumMax; ++size) {
    const SizeClass c = ClassOf(size);

    ASSERT_GE(c, 1u);
    ASSERT_LE(c, kLast);
    ASSERT_GE(ClassBytes(c), size);
    ASSERT_LT(ClassBytes(c - 1), size);
  }
}

TEST(SizeClassesTest, SizeZeroHasTheClassOfOneByte) { EXPECT_EQ(ClassOf(0), ClassOf(1)); }

TEST(SizeClassesTest, ClassesGrowStrictlyUpToTheLargestMediumSize) {
  for (SizeClass c = 1; c <= kLast; ++c) EXPECT_GT(ClassBytes(c), ClassBytes(c - 1));

  EXPECT_EQ(ClassBytes(1), kMinAlignment);
  EXPECT_EQ(ClassBytes(kSmallClasses - 1), kSmallMax);
  EXPECT_EQ(ClassBytes(kLast), kMediumMax);
}

TEST(SizeClassesTest, EveryBlockIsAlignedAndEveryMediumOneIsWholeGranules) {
  for (SizeClass c = 1; c <= kLast; ++c) {
    EXPECT_EQ(ClassBytes(c) % kMinAlignment, 0u) << c;
    if (c >= kSmallClasses) {
      EXPECT_EQ(ClassBytes(c) % kGranuleBytes, 0u) << c;
      EXPECT_GE(ClassBytes(c), kSlotBytes) << c;
    }
  }
}

TEST(SizeClassesTest, ABlockUpTo256BytesWastesAtMostFifteen) {
  for (size_t size = 1; size <= 256; ++size) {
    ASSERT_LT(ClassBytes(ClassOf(size)) - size, 16u) << size;
  }
}

TEST(SizeClassesTest, FromThereOnABlockWastesLessThanAnEighthOfItsSize) {
  for (size_t size = 257; size <= kMediumMax; ++size) {
    ASSERT_LT((ClassBytes(ClassOf(size)) - size) * 8, size) << size;
  }
}

TEST(SizeClassesTest, ABlockAbove16KiBWastesLessThanASixteenth) {
  for (size_t size = 16 * kKiB + 1; size <= kMediumMax; ++size) {
    ASSERT_LT((ClassBytes(ClassOf(size)) - size) * 16, size) << size;
  }
}

TEST(SizeClassesTest, APageWithALittleBeforeItWastesLessThanASixteenth) {
  for (size_t size = 4 * kKiB + 1; size <= 4 * kKiB + 256; ++size) {
    ASSERT_LT((ClassBytes(ClassOf(size)) - size) * 16, size) << size;
  }
}

TEST(SizeClassesTest, EightClassesPerDoublingFrom256BytesAndSixteenFrom16KiB) {
  for (size_t size = 256; size < kMediumMax; size *= 2) {
    const SizeClass expected = size == 4 * kKiB ? 9 : size < 16 * kKiB ? 8 : 16;
    EXPECT_EQ(ClassOf(2 * size) - ClassOf(size), expected) << size;
  }
}

TEST(SizeClassesTest, AMultipleOfAnAlignmentHasAClassThatIsOneToo) {
  for (size_t alignment = kMinAlignment; alignment <= kSmallMax; alignment *= 2) {
    for (size_t size = alignment; size <= kSmallMax; size += alignment) {
      ASSERT_EQ(ClassBytes(ClassOf(size)) % alignment, 0u) << size << " " << alignment;
    }
  }
}

TEST(SizeClassesTest, AWiderClassIsAtMostAQuarterWiderAndAlignedAsWell) {
  size_t served = 0;
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t bytes = ClassBytes(c);
    const size_t alignment = bytes & -bytes;
    for (SizeClass d = NextWider(c, c); d != 0; d = NextWider(c, d)) {
      ASSERT_GT(ClassBytes(d), bytes);
      ASSERT_LE(ClassBytes(d), bytes + bytes / 4);
      ASSERT_EQ(ClassBytes(d) % alignment, 0u) << bytes;
      ++served;
    }
  }
  EXPECT_GT(served, kSmallClasses / 2);
}

TEST(SizeClassesTest, ARunHasAClassOnlyIfItsLengthIsExactlyThatOfOne) {
  for (size_t granules = 0; granules < kClassOfGranules.size(); ++granules) {
    const SizeClass c = kClassOfGranules[granules];
    const size_t bytes = granules * kGranuleBytes;
    const bool exact = bytes > kSmallMax && ClassBytes(LargerClassOf(bytes)) == bytes;

    ASSERT_EQ(c != 0, exact) << bytes;
    ASSERT_TRUE(c == 0 || ClassBytes(c) == bytes) << bytes;
  }
}

TEST(SizeClassesTest, ReciprocalsFindTheIndexOfEveryBlock) {
  EXPECT_TRUE(size_class_checks::ReciprocalsAreExact());
}

TEST(SizeClassesTest, ReciprocalsTellBlockStartsFromAllOtherAddresses) {
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const auto bytes = static_cast<uint32_t>(ClassBytes(c));
    for (uint32_t offset = 0; offset < kUnitBytes; ++offset) {
      // As the hit path of free asks: in 32 bits, where the product wraps.
      const bool is_start = IsBlockStart(offset, kReciprocal[c]);
      ASSERT_EQ(is_start, offset % bytes == 0) << offset << " in blocks of " << bytes;
    }
  }
}

TEST(SizeClassesTest, ClassZeroHasNoBlocksAndNoReciprocal) {
  EXPECT_EQ(ClassBytes(0), 0u);
  EXPECT_EQ(kReciprocal[0], 0u);
}

}  // namespace
}  // namespace cma
