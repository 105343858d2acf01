#include "runs/run_heap.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <memory>
#include <vector>

#include "support/heap_fixture.h"
#include "support/pattern.h"
#include "support/run_checks.h"

namespace cma {
namespace {

using cma_test::ExpectTiled;
using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::kIntact;
using cma_test::RunsOf;

constexpr uint32_t kSlot = kGranulesPerSlot;
constexpr ArenaId kOwner{3};

class RunHeapTest : public cma_test::HeapFixture {
 protected:
  ~RunHeapTest() override { ExpectTiled(*heap_); }

  Run Take(uint32_t length) { return heap_->TakeRun(length, 1, nullptr); }

  // Neighbours in this order in a superblock of their own, with used runs at both ends.
  std::array<Run, 3> TakeThreeNeighbours(uint32_t length) {
    const std::array<Run, 5> five = {Take(kSlot), Take(length), Take(length), Take(length),
                                     Take(kSlot)};
    for (size_t i = 0; i + 1 < five.size(); ++i) EXPECT_EQ(five[i].end(), five[i + 1].start);
    return {five[1], five[2], five[3]};
  }

  Run FreeRunAt(const Run& run) {
    const Run found = RunAt(run.superblock, run.start);
    EXPECT_EQ(StateOf(found), RunState::kFree);
    return found;
  }

  // Granules to their bytes in pages.
  static size_t PageOf(uint32_t granule) {
    return (size_t{granule} << kGranuleShift) / OsPageBytes();
  }

  const std::unique_ptr<RunHeap> heap_ = std::make_unique<RunHeap>(central_, kOwner);
};

TEST_F(RunHeapTest, WithoutGrowthARunComesFromWhatIsThere) {
  EXPECT_EQ(heap_->TakeRun(100, 1, nullptr, Growth::kNone).length, 0u);
  EXPECT_EQ(heap_->superblock_count(), 0u);
  Take(100);

  EXPECT_EQ(heap_->TakeRun(100, 1, nullptr, Growth::kNone).length, 100u);
  EXPECT_EQ(heap_->TakeRun(kGranulesPerSuperblock, 1, nullptr, Growth::kNone).length, 0u);
  EXPECT_EQ(heap_->superblock_count(), 1u);
}

TEST_F(RunHeapTest, ARunIsAsLongAsAskedForAndItsSuperblockHasTheOwner) {
  const Run run = Take(100);

  EXPECT_EQ(run.length, 100u);
  EXPECT_EQ(StateOf(run), RunState::kUsed);
  EXPECT_EQ(UsedRunAt(run.superblock, run.address()).length, 100u);
  EXPECT_EQ(run.superblock->arena.load(), static_cast<uint16_t>(kOwner));
  EXPECT_EQ(heap_->superblock_count(), 1u);
  EXPECT_EQ(heap_->free_granules(), kGranulesPerSuperblock - 100);
}

TEST_F(RunHeapTest, RunsOfAllLengthsFillASuperblockWithoutAGap) {
  uint32_t sum = 0;
  for (uint32_t length = kSlot; sum + length <= kGranulesPerSuperblock; length += 7) {
    ASSERT_EQ(Take(length).length, length);
    sum += length;
  }

  EXPECT_EQ(heap_->superblock_count(), 1u);
  EXPECT_EQ(heap_->free_granules(), kGranulesPerSuperblock - sum);
}

TEST_F(RunHeapTest, AFullSuperblockIsFollowedByAnother) {
  const Run first = Take(kGranulesPerSuperblock);
  const Run second = Take(kGranulesPerSuperblock);

  EXPECT_NE(first.superblock, second.superblock);
  EXPECT_EQ(heap_->superblock_count(), 2u);
  EXPECT_EQ(heap_->free_granules(), 0u);
}

TEST_F(RunHeapTest, AFreedRunIsTakenAgain) {
  const auto [left, middle, right] = TakeThreeNeighbours(40);

  heap_->GiveRun(middle);

  EXPECT_EQ(Take(40).address(), middle.address());
}

TEST_F(RunHeapTest, AFreedRunBetweenUsedOnesStaysAlone) {
  const auto [left, middle, right] = TakeThreeNeighbours(40);

  heap_->GiveRun(middle);

  EXPECT_EQ(FreeRunAt(middle).length, 40u);
}

TEST_F(RunHeapTest, ARunMergesWithTheFreeOneOnItsRight) {
  const auto [left, middle, right] = TakeThreeNeighbours(40);
  heap_->GiveRun(right);

  heap_->GiveRun(middle);

  EXPECT_EQ(FreeRunAt(middle).length, 80u);
}

TEST_F(RunHeapTest, ARunMergesWithTheFreeOneOnItsLeft) {
  const auto [left, middle, right] = TakeThreeNeighbours(40);
  heap_->GiveRun(left);

  heap_->GiveRun(middle);

  EXPECT_EQ(FreeRunAt(left).length, 80u);
}

TEST_F(RunHeapTest, FreeingTheMiddleRunMergesAllThree) {
  const auto [left, middle, right] = TakeThreeNeighbours(40);
  heap_->GiveRun(left);
  heap_->GiveRun(right);

  heap_->GiveRun(middle);

  EXPECT_EQ(FreeRunAt(left).length, 120u);
  EXPECT_EQ(Take(120).start, left.start);
}

TEST_F(RunHeapTest, RunsAtTheEdgesOfASuperblockMergeInwards) {
  const Run first = Take(64);
  const Run rest = Take(kGranulesPerSuperblock - 128);
  const Run last = Take(64);
  Take(64);  // a second superblock, so that the first one is not kept as the empty one
  ASSERT_EQ(first.start, 0u);
  ASSERT_EQ(last.end(), kGranulesPerSuperblock);

  heap_->GiveRun(first);
  heap_->GiveRun(last);
  heap_->GiveRun(rest);

  EXPECT_EQ(FreeRunAt(first).length, kGranulesPerSuperblock);
}

TEST_F(RunHeapTest, TheBestFitLeavesLongRunsWhole) {
  const auto [one, two, three] = TakeThreeNeighbours(100);
  heap_->GiveRun(two);

  EXPECT_EQ(Take(100).start, two.start);
}

TEST_F(RunHeapTest, ASplitRunLeavesItsRestFree) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);
  heap_->GiveRun(middle);

  const Run run = Take(100 - kSlot);

  EXPECT_EQ(run.start, middle.start);
  EXPECT_EQ(run.length, 100 - kSlot);
  EXPECT_EQ(FreeRunAt(RunAfter(run)).length, kSlot);
}

TEST_F(RunHeapTest, NoSliverIsLeftOver) {
  // Nothing but one free run of 600 granules, in which 600 - kSlot + 1 leave too little.
  const Run hole = Take(600);
  Take(kGranulesPerSuperblock - 600);
  heap_->GiveRun(hole);

  const Run run = Take(600 - kSlot + 1);

  EXPECT_GE(run.length, 600 - kSlot + 1);
  ExpectTiled(*heap_);
}

TEST_F(RunHeapTest, AlignedRunsLieAtMultiples) {
  for (uint32_t alignment = 1; alignment <= kGranulesPerSuperblock / 2; alignment *= 2) {
    const Run run = heap_->TakeRun(50, alignment, nullptr);

    ASSERT_GE(run.length, 50u) << alignment;
    EXPECT_EQ(run.start % alignment, 0u) << alignment;
    EXPECT_EQ(AddressOf(run.address()) % (size_t{alignment} * kGranuleBytes), 0u);
    ExpectTiled(*heap_);
  }
}

TEST_F(RunHeapTest, AnAlignmentOfAWholeSuperblockIsPossible) {
  Take(kSlot);

  const Run run = heap_->TakeRun(kSlot, kGranulesPerSuperblock, nullptr);

  EXPECT_EQ(AddressOf(run.address()) % kSuperblockBytes, 0u);
}

TEST_F(RunHeapTest, ASlabRunIsOneUnitAtAMultipleOfIt) {
  Take(kSlot);
  for (int i = 0; i < 200; ++i) {
    const Run run = heap_->TakeSlabRun();

    ASSERT_EQ(run.bytes(), kUnitBytes);
    ASSERT_EQ(AddressOf(run.address()) % kUnitBytes, 0u);
    ASSERT_EQ(StateOf(run), RunState::kSlab);
    ASSERT_EQ(UsedRunAt(run.superblock, run.address()).length, 0u);
  }
}

TEST_F(RunHeapTest, ASuperblockOfSlabsIsUsedToTheLastUnit) {
  for (size_t i = 0; i < kUnitsPerSuperblock; ++i) ASSERT_NE(heap_->TakeSlabRun().length, 0u);

  EXPECT_EQ(heap_->superblock_count(), 1u);
  EXPECT_EQ(heap_->free_granules(), 0u);
}

TEST_F(RunHeapTest, ASlabRunLeavesItsPagesUntouched) {
  const Run run = heap_->TakeSlabRun();

  EXPECT_EQ(run.superblock->touched.FindFrom(0), kMinPagesPerSuperblock);
}

class HugePagesRunHeapTest : public RunHeapTest {
 protected:
  HugePagesRunHeapTest() {
    os_.GiveHugePages(true);
    for (size_t i = 0; i < RunHeap::kSmallArena * kUnitsPerSuperblock; ++i) {
      small_.push_back(heap_->TakeSlabRun(Pages::kHuge));
    }
  }

  std::vector<Run> small_;
};

TEST_F(HugePagesRunHeapTest, OnlyALargeHeapHasThem) {
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);

  const Run run = heap_->TakeSlabRun(Pages::kHuge);

  EXPECT_EQ(run.superblock->pages, Pages::kHuge);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);
}

TEST_F(HugePagesRunHeapTest, ARunIsTakenWhereItsPagesAreIfThereIsOne) {
  const Run huge = heap_->TakeSlabRun(Pages::kHuge);
  heap_->GiveRun(small_.back());

  const Run run = heap_->TakeSlabRun(Pages::kSmall);
  EXPECT_EQ(run.start, small_.back().start);
  EXPECT_EQ(run.superblock, small_.back().superblock);
  EXPECT_EQ(heap_->TakeSlabRun(Pages::kSmall).superblock, huge.superblock);
  EXPECT_EQ(Take(kSlot).superblock, huge.superblock);

  EXPECT_EQ(heap_->superblock_count(), RunHeap::kSmallArena + 1);
}

TEST_F(HugePagesRunHeapTest, RunsOfBlocksBringNone) {
  EXPECT_EQ(Take(kSlot).superblock->pages, Pages::kSmall);
  EXPECT_EQ(heap_->superblock_count(), RunHeap::kSmallArena + 1);
}

TEST_F(HugePagesRunHeapTest, AHugePageIsTouchedAsAWhole) {
  if (OsPageBytes() != kMinPageBytes) GTEST_SKIP() << "no huge pages of 2 MiB";
  const size_t whole = kHugePageBytes / OsPageBytes();

  Superblock* const superblock = heap_->TakeSlabRun(Pages::kHuge).superblock;

  EXPECT_EQ(superblock->touched.CountRange(0, kMinPagesPerSuperblock), whole);
  ZeroPages zero_pages;
  heap_->TakeRun(kGranulesPerSuperblock / 4, 1, &zero_pages);
  EXPECT_TRUE(zero_pages.zero.Test(0)) << "the first in its huge page";
  EXPECT_EQ(superblock->touched.CountRange(0, kMinPagesPerSuperblock), 2 * whole);
}

TEST_F(RunHeapTest, WhereSmallPagesAreDearAllButTheFirstSuperblockHaveHugeOnes) {
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(HugePages::kDear);

  EXPECT_EQ(Take(kGranulesPerSuperblock).superblock->pages, Pages::kSmall);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);
  EXPECT_EQ(Take(kGranulesPerSuperblock).superblock->pages, Pages::kHuge);
  EXPECT_EQ(Take(kGranulesPerSuperblock).superblock->pages, Pages::kHuge);
}

TEST_F(RunHeapTest, WhatIsToBeZeroBringsNoHugePages) {
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(HugePages::kDear);
  ZeroPages zero_pages;

  for (int i = 0; i < 3; ++i) {
    const Run run = heap_->TakeRun(kGranulesPerSuperblock, 1, &zero_pages);
    ASSERT_NE(run.length, 0u);
    EXPECT_EQ(run.superblock->pages, Pages::kSmall);
  }
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);
}

TEST_F(RunHeapTest, TheHugePageThatIsUsedFirstIsTouched) {
  if (OsPageBytes() != kMinPageBytes) GTEST_SKIP() << "no huge pages of 2 MiB";
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(HugePages::kDear);
  (void)Take(kGranulesPerSuperblock);
  const size_t whole = kHugePageBytes / OsPageBytes();

  Superblock* const of_run = Take(kSlot).superblock;
  EXPECT_EQ(of_run->touched.CountRange(0, whole), whole);
  EXPECT_EQ(of_run->touched.CountRange(whole, 2 * whole), 0u);
  (void)Take(kGranulesPerSuperblock - kSlot);

  Superblock* const of_aligned =
      heap_->TakeRun(kGranulesPerSuperblock / 64, kGranulesPerSuperblock / 64, nullptr).superblock;
  EXPECT_EQ(of_aligned->touched.CountRange(0, whole), 0u);
  (void)Take(kGranulesPerSuperblock - kGranulesPerSuperblock / 64);

  Superblock* const of_slab = heap_->TakeSlabRun().superblock;
  EXPECT_EQ(of_slab->touched.CountRange(0, whole), 0u);
  EXPECT_EQ(of_slab->touched.CountRange(whole, 2 * whole), whole);
}

TEST_F(RunHeapTest, ARunShrinksInPlaceAndItsRestMergesWithTheRight) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);
  heap_->GiveRun(right);

  EXPECT_TRUE(heap_->ResizeRun(middle, 60));

  EXPECT_EQ(UsedRunAt(middle.superblock, middle.address()).length, 60u);
  EXPECT_EQ(FreeRunAt(RunAfter(RunAt(middle.superblock, middle.start))).length, 140u);
}

TEST_F(RunHeapTest, ARunThatShrinksByLessThanASlotStaysAsItIs) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);

  EXPECT_TRUE(heap_->ResizeRun(middle, 100 - kSlot + 1));

  EXPECT_EQ(UsedRunAt(middle.superblock, middle.address()).length, 100u);
}

TEST_F(RunHeapTest, WhatIsCutOffARunIsZeroIfFreedBlocksAre) {
  g_options.zero_on_free = 1;
  const auto [left, middle, right] = TakeThreeNeighbours(100);
  for (const Run& run : {middle, right}) FillPattern(run.address(), run.bytes(), 1);

  EXPECT_TRUE(heap_->ResizeRun(middle, 60));

  constexpr size_t kKept = 60 * kGranuleBytes;
  EXPECT_EQ(FindDamage(middle.address(), kKept, 1), kIntact);
  EXPECT_TRUE(IsZero(middle.address() + kKept, middle.bytes() - kKept));
  EXPECT_EQ(FindDamage(right.address(), right.bytes(), 1), kIntact);
}

TEST_F(RunHeapTest, ARunGrowsIntoTheFreeOneOnItsRight) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);
  heap_->GiveRun(right);

  EXPECT_TRUE(heap_->ResizeRun(middle, 150));

  EXPECT_EQ(UsedRunAt(middle.superblock, middle.address()).length, 150u);
  EXPECT_EQ(FreeRunAt(RunAfter(RunAt(middle.superblock, middle.start))).length, 50u);
}

TEST_F(RunHeapTest, ARunThatGrowsTakesASliverAlong) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);
  heap_->GiveRun(right);

  EXPECT_TRUE(heap_->ResizeRun(middle, 200 - kSlot + 1));

  EXPECT_EQ(UsedRunAt(middle.superblock, middle.address()).length, 200u);
}

TEST_F(RunHeapTest, ARunDoesNotGrowIntoAUsedOne) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);

  EXPECT_FALSE(heap_->ResizeRun(middle, 101));

  EXPECT_EQ(UsedRunAt(middle.superblock, middle.address()).length, 100u);
  EXPECT_EQ(UsedRunAt(right.superblock, right.address()).length, 100u);
}

TEST_F(RunHeapTest, ARunDoesNotGrowBeyondWhatIsFreeOnItsRight) {
  const auto [left, middle, right] = TakeThreeNeighbours(100);
  heap_->GiveRun(right);

  EXPECT_FALSE(heap_->ResizeRun(middle, 201));

  EXPECT_EQ(UsedRunAt(middle.superblock, middle.address()).length, 100u);
  EXPECT_EQ(FreeRunAt(right).length, 100u);
}

TEST_F(RunHeapTest, TheLastRunOfASuperblockDoesNotGrow) {
  Take(kSlot);
  const Run last = Take(kGranulesPerSuperblock - kSlot);

  EXPECT_FALSE(heap_->ResizeRun(last, last.length + kSlot));
}

TEST_F(RunHeapTest, OneEmptySuperblockIsKept) {
  const Run run = Take(100);

  heap_->GiveRun(run);

  EXPECT_EQ(heap_->superblock_count(), 1u);
  EXPECT_EQ(central_.free_superblocks(), 0u);
  EXPECT_EQ(Take(200).superblock, run.superblock);
}

TEST_F(RunHeapTest, ASecondEmptySuperblockGoesBack) {
  const Run first = Take(kGranulesPerSuperblock);
  const Run second = Take(kGranulesPerSuperblock);

  heap_->GiveRun(first);
  heap_->GiveRun(second);

  EXPECT_EQ(heap_->superblock_count(), 1u);
  EXPECT_EQ(central_.free_superblocks(), 1u);
  EXPECT_EQ(second.superblock->arena.load(), kNoArena);
  EXPECT_EQ(first.superblock->arena.load(), static_cast<uint16_t>(kOwner));
  EXPECT_EQ(heap_->free_granules(), kGranulesPerSuperblock);
}

TEST_F(RunHeapTest, AnEmptySuperblockThatIsUsedAgainIsNoLongerTheOneThatIsKept) {
  const Run first = Take(kGranulesPerSuperblock);
  const Run second = Take(kGranulesPerSuperblock);
  heap_->GiveRun(first);
  Take(100);

  heap_->GiveRun(second);

  EXPECT_EQ(heap_->superblock_count(), 2u);
  EXPECT_EQ(central_.free_superblocks(), 0u);
}

TEST_F(RunHeapTest, ASuperblockThatComesBackHasFreshTables) {
  std::vector<Run> runs;
  for (uint32_t sum = 0; sum + 48 <= 2 * kGranulesPerSuperblock; sum += 48) {
    runs.push_back(Take(48));
  }
  for (const Run& run : runs) heap_->GiveRun(run);
  ASSERT_EQ(central_.free_superblocks(), 1u);

  Superblock* const back = central_.TakeSuperblock();

  for (uint32_t slot = 0; slot < kSlotsPerSuperblock; ++slot) {
    EXPECT_EQ(std::bit_cast<uint32_t>(back->tables->tag(slot)), 0u) << slot;
  }
}

TEST_F(RunHeapTest, PagesOfANewSuperblockAreKnownToBeZero) {
  ZeroPages zero;
  const Run run = heap_->TakeRun(1000, 1, &zero);

  const size_t pages = PageOf(run.end() - 1) - PageOf(run.start) + 1;
  EXPECT_EQ(zero.zero.CountRange(0, ZeroPages::kMax), pages);
  EXPECT_EQ(run.superblock->touched.CountRange(0, kMinPagesPerSuperblock), pages);
}

TEST_F(RunHeapTest, APageThatANeighbourHasAPartOfIsNotKnownToBeZero) {
  const Run first = Take(OsPageBytes() / kGranuleBytes + kSlot);

  ZeroPages zero;
  const Run second = heap_->TakeRun(1000, 1, &zero);

  ASSERT_EQ(first.end(), second.start);
  EXPECT_FALSE(zero.zero.Test(0));
  EXPECT_TRUE(zero.zero.Test(1));
}

TEST_F(RunHeapTest, PagesOfAFreedRunAreNotKnownToBeZero) {
  Take(kSlot);
  const Run run = Take(1000);
  Take(kSlot);
  heap_->GiveRun(run);

  ZeroPages zero;
  ASSERT_EQ(heap_->TakeRun(1000, 1, &zero).start, run.start);

  EXPECT_EQ(zero.zero.FindFrom(0), ZeroPages::kMax);
}

TEST_F(RunHeapTest, ARunThatGrowsTouchesItsNewPages) {
  const uint32_t page = static_cast<uint32_t>(OsPageBytes() / kGranuleBytes);
  const Run run = Take(page);
  ASSERT_TRUE(heap_->ResizeRun(run, 10 * page));

  EXPECT_EQ(run.superblock->touched.CountRange(0, 10), 10u);
  EXPECT_FALSE(run.superblock->touched.Test(10));
}

TEST_F(RunHeapTest, TheLargestBlocksHaveAllTheirPagesInTheZeroPages) {
  Take(kSlot);
  ZeroPages zero;
  const auto length = static_cast<uint32_t>(kLargeMax / kGranuleBytes);

  const Run run = heap_->TakeRun(length, 1, &zero);

  const size_t pages = PageOf(run.end() - 1) - PageOf(run.start) + 1;
  ASSERT_LE(pages, ZeroPages::kMax);
  EXPECT_EQ(zero.zero.CountRange(0, ZeroPages::kMax), pages - 1);  // the first is shared
}

TEST_F(RunHeapTest, ARefusedSuperblockIsNoRunAndTheNextTryWorks) {
  Take(kGranulesPerSuperblock);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(kSlot).length, 0u);
  EXPECT_EQ(heap_->TakeRun(kSlot, 64, nullptr).length, 0u);
  EXPECT_EQ(heap_->TakeSlabRun().length, 0u);
  EXPECT_EQ(heap_->superblock_count(), 1u);
  os_.RefuseNothing();

  EXPECT_EQ(Take(kSlot).length, kSlot);
  EXPECT_NE(heap_->TakeSlabRun().length, 0u);
}

TEST_F(RunHeapTest, WhatIsFreeIsStillThereWhenTheSystemRefuses) {
  const Run run = Take(kGranulesPerSuperblock);
  heap_->GiveRun(run);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(kGranulesPerSuperblock).superblock, run.superblock);
}

}  // namespace
}  // namespace cma
