#include "os/os_memory.h"

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/constants.h"
#include "support/fake_os.h"
#include "support/pages.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::kIntact;
using cma_test::PagesWithMemory;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int kSentinel = 4321;  // no errno

class OsMemoryTest : public testing::Test {
 protected:
  OsMemoryTest() { errno = kSentinel; }

  const size_t page_ = OsPageBytes();
  FakeOs fake_;  // forwards to Linux and unmaps what a failing test leaves behind
  const OsOps& os_ = fake_.ops();
};

TEST_F(OsMemoryTest, ThePageSizeIsTheKernelsAndOneThatIsHandled) {
  EXPECT_EQ(page_, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_TRUE(IsPowerOfTwo(page_));
  EXPECT_GE(page_, kMinPageBytes);
  EXPECT_LE(page_, kMaxPageBytes);
}

TEST_F(OsMemoryTest, NewMemoryIsZeroWritableAndUntouched) {
  std::byte* const start = os_.map(8 * page_);

  ASSERT_NE(start, nullptr);
  EXPECT_EQ(AddressOf(start) % page_, 0u);
  EXPECT_EQ(CountPagesWithMemory(start, 8 * page_), 0u);
  EXPECT_TRUE(IsZero(start, 8 * page_));
  FillPattern(start, 8 * page_, 1);
  EXPECT_EQ(FindDamage(start, 8 * page_, 1), kIntact);
}

TEST_F(OsMemoryTest, ARefusalIsNullAndLeavesErrnoAlone) {
  EXPECT_EQ(os_.map(size_t{1} << 60), nullptr);
  EXPECT_EQ(os_.reserve(size_t{1} << 60), nullptr);
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, UnmappedMemoryIsGone) {
  std::byte* const start = os_.map(4 * page_);

  EXPECT_TRUE(os_.unmap(start + page_, page_));

  EXPECT_THAT(PagesWithMemory(start + page_, page_), IsEmpty());
  EXPECT_EQ(PagesWithMemory(start, page_).size(), 1u);
  EXPECT_EQ(PagesWithMemory(start + 2 * page_, 2 * page_).size(), 2u);
}

TEST_F(OsMemoryTest, ReservedMemoryReadsAsZero) {
  std::byte* const start = os_.reserve(64 * kGiB);

  ASSERT_NE(start, nullptr);
  EXPECT_TRUE(IsZero(start, page_));
  EXPECT_TRUE(IsZero(start + 64 * kGiB - page_, page_));
}

TEST_F(OsMemoryTest, AllowMakesExactlyItsPartOfAReservationWritable) {
  std::byte* const start = os_.reserve(4 * page_);

  EXPECT_TRUE(os_.allow(start + page_, page_));

  memset(start + page_, 7, page_);
  EXPECT_EQ(start[page_], std::byte{7});
  EXPECT_TRUE(IsZero(start, page_));
  EXPECT_TRUE(IsZero(start + 2 * page_, 2 * page_));
}

TEST_F(OsMemoryTest, AllowOfWhatIsNotMappedIsRefused) {
  std::byte* const start = os_.map(page_);
  ASSERT_TRUE(os_.unmap(start, page_));

  EXPECT_FALSE(os_.allow(start, page_));

  EXPECT_EQ(errno, kSentinel);
}

using OsMemoryDeathTest = OsMemoryTest;

TEST_F(OsMemoryDeathTest, ReservedMemoryCannotBeWritten) {
  std::byte* const start = os_.reserve(4 * page_);
  ASSERT_TRUE(os_.allow(start, page_));

  EXPECT_DEATH(*const_cast<volatile std::byte*>(start + page_) = std::byte{1}, "");
}

TEST_F(OsMemoryTest, DecommittedMemoryHoldsNothingAndReadsAsZero) {
  std::byte* const start = os_.map(8 * page_);
  FillPattern(start, 8 * page_, 2);

  EXPECT_TRUE(os_.decommit(start + 2 * page_, 3 * page_, false));

  EXPECT_EQ(CountPagesWithMemory(start + 2 * page_, 3 * page_), 0u);
  EXPECT_TRUE(IsZero(start + 2 * page_, 3 * page_));
  EXPECT_FALSE(IsZero(start, 2 * page_));
  EXPECT_FALSE(IsZero(start + 5 * page_, 3 * page_));
}

TEST_F(OsMemoryTest, MemoryDecommittedLazilyCanBeWrittenAgain) {
  std::byte* const start = os_.map(2 * page_);
  FillPattern(start, 2 * page_, 3);

  EXPECT_TRUE(os_.decommit(start, 2 * page_, true));

  FillPattern(start, 2 * page_, 4);
  EXPECT_EQ(FindDamage(start, 2 * page_, 4), kIntact);
}

TEST_F(OsMemoryTest, DecommitOfWhatIsNotMappedIsRefused) {
  std::byte* const start = os_.map(page_);
  ASSERT_TRUE(os_.unmap(start, page_));

  EXPECT_FALSE(kLinuxOs.decommit(start, page_, false));

  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, AdviceAboutPagesChangesNoContents) {
  std::byte* const start = os_.map(4 * kHugePageBytes);
  FillPattern(start, 4 * kHugePageBytes, 10);

  os_.advise_huge(start, 4 * kHugePageBytes);
  os_.advise_small(start, 4 * kHugePageBytes);

  EXPECT_EQ(FindDamage(start, 4 * kHugePageBytes, 10), kIntact);
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, ATouchWritesAZeroToItsPageOnly) {
  std::byte* const start = os_.map(2 * page_);
  FillPattern(start + page_, page_, 11);

  EXPECT_GE(kLinuxOs.touch(start), 0);
  EXPECT_GE(kLinuxOs.touch(start + page_), 0);

  EXPECT_EQ(start[page_], std::byte{0});
  EXPECT_THAT(PagesWithMemory(start, 2 * page_), SizeIs(2));
  EXPECT_TRUE(IsZero(start, page_));
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, APageFaultTakesTheSameTimeWheneverItIsAskedFor) {
  const int64_t time = kLinuxOs.fault_time();

  EXPECT_GE(time, 0);
  EXPECT_LT(time, 1'000'000'000);
  EXPECT_EQ(kLinuxOs.fault_time(), time);
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, PopulatingBringsMemoryAndChangesNoContents) {
  SKIP_WITHOUT_POPULATE();
  std::byte* const start = os_.map(4 * page_);
  FillPattern(start + page_, page_, 12);

  os_.populate(start, 3 * page_);

  EXPECT_EQ(PagesWithMemory(start, 4 * page_), (std::vector<bool>{true, true, true, false}));
  EXPECT_EQ(FindDamage(start + page_, page_, 12), kIntact);
  EXPECT_TRUE(IsZero(start, page_));
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, PopulatingWhatIsNotMappedDoesNoHarm) {
  std::byte* const start = os_.map(page_);
  ASSERT_TRUE(os_.unmap(start, page_));

  kLinuxOs.populate(start, page_);

  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, AWordIsComparedWhereverItIs) {
  std::byte* const start = os_.map(page_);
  const uint32_t word = 7;
  memcpy(start + 8, &word, sizeof word);

  EXPECT_FALSE(kLinuxOs.differs(start + 8, 7));
  EXPECT_TRUE(kLinuxOs.differs(start + 8, 8));
  EXPECT_FALSE(kLinuxOs.differs(start, 0));
  EXPECT_TRUE(kLinuxOs.differs(start, ~uint32_t{0}));
  ASSERT_TRUE(os_.unmap(start, page_));
  EXPECT_FALSE(kLinuxOs.differs(start, 0));
  EXPECT_FALSE(kLinuxOs.differs(start, 1));
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, AProcessThatWantsNoHugePagesGetsNone) {
  const int before = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
  ASSERT_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);

  EXPECT_FALSE(kLinuxOs.gives_huge());

  ASSERT_EQ(prctl(PR_SET_THP_DISABLE, before, 0, 0, 0), 0);
}

TEST_F(OsMemoryTest, ResizeShrinksInPlace) {
  std::byte* const start = os_.map(4 * page_);
  FillPattern(start, page_, 5);

  EXPECT_EQ(os_.resize(start, 4 * page_, page_), Resized::kYes);

  EXPECT_EQ(FindDamage(start, page_, 5), kIntact);
  EXPECT_THAT(PagesWithMemory(start + page_, page_), IsEmpty());
}

TEST_F(OsMemoryTest, ResizeGrowsIntoFreeAddresses) {
  std::byte* const start = os_.map(4 * page_);
  FillPattern(start, page_, 6);
  ASSERT_TRUE(os_.unmap(start + page_, 3 * page_));

  EXPECT_EQ(os_.resize(start, page_, 4 * page_), Resized::kYes);

  EXPECT_EQ(FindDamage(start, page_, 6), kIntact);
  EXPECT_TRUE(IsZero(start + page_, 3 * page_));
}

TEST_F(OsMemoryTest, ResizeIsRefusedWhereSomethingElseLies) {
  std::byte* const start = os_.map(4 * page_);
  FillPattern(start, 4 * page_, 7);

  EXPECT_EQ(os_.resize(start, page_, 2 * page_), Resized::kNo);

  EXPECT_EQ(FindDamage(start, 4 * page_, 7), kIntact);
  EXPECT_EQ(errno, kSentinel);
}

TEST_F(OsMemoryTest, ResizeTellsWhereThereAreSeveralMappings) {
  std::byte* const start = os_.map(4 * page_);
  ASSERT_EQ(mprotect(start + 2 * page_, 2 * page_, PROT_READ), 0);
  FillPattern(start, page_, 7);

  EXPECT_EQ(os_.resize(start, 4 * page_, 5 * page_), Resized::kFixed);
  EXPECT_EQ(os_.resize(start, 2 * page_, 5 * page_), Resized::kNo);

  EXPECT_EQ(FindDamage(start, page_, 7), kIntact);
}

TEST_F(OsMemoryTest, MoveTakesTheContentsToTheTarget) {
  std::byte* const start = os_.map(4 * page_);
  std::byte* const target = os_.map(6 * page_);
  FillPattern(start, 4 * page_, 8);
  FillPattern(target, 6 * page_, 9);

  EXPECT_TRUE(os_.move(start, 4 * page_, target, 6 * page_));

  EXPECT_EQ(FindDamage(target, 4 * page_, 8), kIntact);
  EXPECT_TRUE(IsZero(target + 4 * page_, 2 * page_));
  EXPECT_THAT(PagesWithMemory(start, 4 * page_), IsEmpty());
}

TEST_F(OsMemoryTest, TheClockDoesNotGoBack) {
  const Milliseconds before = kLinuxOs.now();

  EXPECT_GE(kLinuxOs.now(), before);
  EXPECT_GT(before, 0u);
}

TEST_F(OsMemoryTest, MapAlignedHoldsNothingBesideWhatItGives) {
  for (size_t alignment = page_; alignment <= 64 * kMiB; alignment *= 4) {
    const size_t before = fake_.mapped_bytes();

    std::byte* const start = MapAligned(os_, 3 * page_, alignment);

    ASSERT_NE(start, nullptr) << alignment;
    EXPECT_EQ(AddressOf(start) % alignment, 0u) << alignment;
    EXPECT_TRUE(fake_.IsMapped(start, 3 * page_)) << alignment;
    EXPECT_EQ(fake_.mapped_bytes() - before, 3 * page_) << alignment;
    EXPECT_TRUE(IsZero(start, 3 * page_)) << alignment;
  }
}

TEST_F(OsMemoryTest, MapAlignedRefusedAtAnyCallHoldsNothing) {
  // An odd address first, so that luck does not align it.
  while (AddressOf(os_.map(page_)) % (64 * kMiB) == 0) {
  }
  const size_t before = fake_.mapped_bytes();

  fake_.Refuse(FakeOs::kMap, 1);
  EXPECT_EQ(MapAligned(os_, page_, 64 * kMiB), nullptr);
  fake_.Refuse(FakeOs::kMap, 2);
  std::byte* const start = MapAligned(os_, page_, 64 * kMiB);

  EXPECT_EQ(AddressOf(start) % (64 * kMiB), 0u);
  EXPECT_EQ(fake_.mapped_bytes() - before, start != nullptr ? page_ : 0);
}

TEST_F(OsMemoryTest, MapAlignedBeyondTheAddressSpaceIsRefused) {
  EXPECT_EQ(MapAligned(os_, page_, size_t{1} << 63), nullptr);
  EXPECT_EQ(MapAligned(os_, page_, size_t{1} << 47), nullptr);
  EXPECT_EQ(MapAligned(os_, RoundDown(SIZE_MAX, page_), 2 * kMiB), nullptr);

  EXPECT_EQ(fake_.mapped_bytes(), 0u);
  EXPECT_EQ(errno, kSentinel);
}

}  // namespace
}  // namespace cma
