#include "front/family.h"

#include <errno.h>
#include <gtest/gtest.h>

#include "support/opaque.h"

namespace cma {
namespace {

using cma_test::Opaque;

TEST(FamilyTest, FailSetsErrnoAndIsNull) {
  errno = 0;

  EXPECT_EQ(Fail(EINVAL), nullptr);

  EXPECT_EQ(errno, EINVAL);
}

TEST(FamilyTest, ProductsThatJustFitAreNoOverflow) {
  errno = 0;
  // 2^32 * (2^32 - 1) fits, but no machine has it; 2^32 * 2^32 does not.
  EXPECT_EQ(Calloc(Opaque(size_t{1} << 32), Opaque((size_t{1} << 32) - 1)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(Calloc(Opaque(size_t{1} << 32), Opaque(size_t{1} << 32)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(FamilyTest, AnAlignmentOfZeroIsRoundedUpOrRefused) {
  void* const block = MemAlign(0, 100);
  EXPECT_NE(block, nullptr);
  Deallocate(block);
  errno = 0;
  EXPECT_EQ(AlignedAlloc(0, 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
  void* result = nullptr;
  EXPECT_EQ(PosixMemAlign(&result, 0, 100), EINVAL);
}

TEST(FamilyTest, TheLargestAlignmentThatCanBeRoundedUpIsRefusedForLackOfMemory) {
  errno = 0;
  EXPECT_EQ(MemAlign(SIZE_MAX / 2 + 1, 100), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(MemAlign(SIZE_MAX / 2 + 2, 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST(FamilyTest, PosixMemAlignTouchesNeitherErrnoNorTheResultWhenItFails) {
  void* const before = reinterpret_cast<void*>(uintptr_t{4711});
  void* result = before;
  errno = 1234;

  EXPECT_EQ(PosixMemAlign(&result, 64, Opaque(SIZE_MAX)), ENOMEM);
  EXPECT_EQ(PosixMemAlign(&result, 24, 100), EINVAL);
  EXPECT_EQ(PosixMemAlign(&result, 4, 100), EINVAL);

  EXPECT_EQ(result, before);
  EXPECT_EQ(errno, 1234);
}

TEST(FamilyTest, PvallocRoundsUpToWholePagesAndNothingToOne) {
  const size_t page = OsPageBytes();
  for (const size_t size : {size_t{0}, size_t{1}, page, page + 1}) {
    void* const block = Pvalloc(size);

    EXPECT_EQ(AddressOf(block) % page, 0u);
    EXPECT_GE(UsableSize(block), size == 0 ? page : RoundUp(size, page));
    Deallocate(block);
  }
  errno = 0;
  EXPECT_EQ(Pvalloc(Opaque(SIZE_MAX)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(FamilyTest, ReallocOfNothingWithOverflowIsRefused) {
  errno = 0;
  EXPECT_EQ(ReallocArray(nullptr, Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(FamilyTest, TrimSaysWhetherItReturnedAnything) {
  void* const block = Allocate(8 * kMiB);
  Deallocate(block);

  EXPECT_EQ(Trim(), 1);
  EXPECT_EQ(Trim(), 0);
}

}  // namespace
}  // namespace cma
