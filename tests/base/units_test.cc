#include "base/units.h"

#include <gtest/gtest.h>

#include "base/constants.h"

namespace cma {
namespace {

TEST(UnitsTest, RoundUpGivesTheNextMultiple) {
  EXPECT_EQ(RoundUp(0, 16), 0u);
  EXPECT_EQ(RoundUp(1, 16), 16u);
  EXPECT_EQ(RoundUp(16, 16), 16u);
  EXPECT_EQ(RoundUp(17, 16), 32u);
  EXPECT_EQ(RoundUp(5, 1), 5u);
  EXPECT_EQ(RoundUp(SIZE_MAX - 4095, 4096), SIZE_MAX - 4095);
}

TEST(UnitsTest, RoundDownGivesTheMultipleBelow) {
  EXPECT_EQ(RoundDown(0, 16), 0u);
  EXPECT_EQ(RoundDown(15, 16), 0u);
  EXPECT_EQ(RoundDown(16, 16), 16u);
  EXPECT_EQ(RoundDown(31, 16), 16u);
  EXPECT_EQ(RoundDown(SIZE_MAX, 4096), SIZE_MAX - 4095);
}

TEST(UnitsTest, ZeroIsNoPowerOfTwo) {
  EXPECT_FALSE(IsPowerOfTwo(0));
  EXPECT_TRUE(IsPowerOfTwo(1));
  EXPECT_TRUE(IsPowerOfTwo(size_t{1} << 63));
  EXPECT_FALSE(IsPowerOfTwo(SIZE_MAX));
  EXPECT_FALSE(IsPowerOfTwo(24));
}

TEST(UnitsTest, WhatHasWaitedLongEnoughHasAged) {
  EXPECT_FALSE(HasAged(1000, 1499, 500));
  EXPECT_TRUE(HasAged(1000, 1500, 500));
  EXPECT_TRUE(HasAged(1000, 9000, 500));
}

TEST(UnitsTest, AClockThatWasReadBeforehandAgesNothing) {
  EXPECT_FALSE(HasAged(1000, 999, 500));
  EXPECT_FALSE(HasAged(1000, 0, 1));
}

TEST(UnitsTest, AnAgeOfZeroIsReachedAtOnce) {
  EXPECT_TRUE(HasAged(1000, 1000, 0));
  EXPECT_TRUE(HasAged(1000, 999, 0));
}

TEST(UnitsTest, ShiftsAndSizesOfTheGeometryAgree) {
  EXPECT_EQ(kSuperblockBytes, size_t{1} << kSuperblockShift);
  EXPECT_EQ(kUnitBytes, size_t{1} << kUnitShift);
  EXPECT_EQ(kGranuleBytes, size_t{1} << kGranuleShift);
  EXPECT_EQ(kUnitsPerSuperblock * kUnitBytes, kSuperblockBytes);
  EXPECT_EQ(kGranulesPerSuperblock * kGranuleBytes, kSuperblockBytes);
  EXPECT_EQ(kSlotsPerSuperblock * kSlotBytes, kSuperblockBytes);
  EXPECT_EQ(kGranulesPerSlot * kGranuleBytes, kSlotBytes);
}

TEST(UnitsTest, EveryUnitIsWholePagesOfAnySize) {
  for (size_t page = kMinPageBytes; page <= kMaxPageBytes; page *= 2) {
    EXPECT_EQ(kUnitBytes % page, 0u) << page;
  }
}

}  // namespace
}  // namespace cma
