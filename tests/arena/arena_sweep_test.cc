// What a sweep of an arena returns to the operating system, and when.
#include <gtest/gtest.h>
#include <sched.h>
#include <string.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "arena/arena.h"
#include "support/arena_fixture.h"
#include "support/pages.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::KeyOfAddress;
using cma_test::kIntact;

class ArenaSweepTest : public cma_test::ArenaFixture {
 protected:
  // A free run of `bytes` that holds memory, between used ones; its address.
  std::byte* FreeDirtyRun(size_t bytes) {
    std::byte* const before = arena_.TakeRun(OsPageBytes(), 16, nullptr);
    std::byte* const block = arena_.TakeRun(bytes, 16, nullptr);
    std::byte* const after = arena_.TakeRun(OsPageBytes(), 16, nullptr);
    EXPECT_EQ(block, before + OsPageBytes());
    EXPECT_EQ(after, block + bytes);
    memset(block, 1, bytes);
    arena_.GiveRun(RunOf(block));
    return block;
  }

  // Free runs of two pages that hold memory, each with a used one of the same length behind it.
  std::vector<std::byte*> FreeEverySecond(size_t count) {
    std::vector<std::byte*> blocks;
    for (size_t i = 0; i < 2 * count; ++i) {
      blocks.push_back(arena_.TakeRun(2 * OsPageBytes(), 16, nullptr));
      memset(blocks.back(), 1, 2 * OsPageBytes());
    }
    std::vector<std::byte*> freed;
    for (size_t i = 0; i < blocks.size(); i += 2) {
      EXPECT_EQ(blocks[i + 1], blocks[i] + 2 * OsPageBytes());
      arena_.GiveRun(RunOf(blocks[i]));
      freed.push_back(blocks[i]);
    }
    return freed;
  }

  // Of so many runs of the largest size, four to a superblock.
  void FreeThreeOfFour(size_t count) {
    std::vector<std::byte*> blocks;
    for (size_t i = 0; i < count; ++i) {
      blocks.push_back(arena_.TakeRun(kLargeMax, 16, nullptr));
      memset(blocks.back(), 1, kLargeMax);
    }
    for (size_t i = 0; i < count; ++i) {
      if (i % 4 != 3) arena_.GiveRun(RunOf(blocks[i]));
    }
  }

  // All blocks of a slab, written, in the order of their addresses.
  std::vector<std::byte*> TakeSlabful(SizeClass c) {
    std::vector<std::byte*> blocks = Take(c, kUnitBytes / ClassBytes(c));
    std::sort(blocks.begin(), blocks.end());
    for (std::byte* block : blocks) FillPattern(block, ClassBytes(c), KeyOfAddress(block));
    return blocks;
  }

  size_t ReturnedRanges() const { return os_.decommits().size(); }
};

constexpr size_t kRunBytes = 256 * kKiB;

TEST_F(ArenaSweepTest, AFreeRunsPagesReturnAtTheSecondRound) {
  std::byte* const run = FreeDirtyRun(kRunBytes);
  bool pending = false;

  Sweep(1, false, &pending);
  EXPECT_TRUE(pending);
  EXPECT_EQ(ReturnedRanges(), 0u);

  pending = false;
  Sweep(2, false, &pending);
  EXPECT_FALSE(pending);
  EXPECT_EQ(CountPagesWithMemory(run, kRunBytes), 0u);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kRunBytes);
  EXPECT_EQ(central_.returned_bytes(), kRunBytes);
}

TEST_F(ArenaSweepTest, AStepTellsThatAThreadSleptForTheLock) {
  FreeDirtyRun(kRunBytes);
  std::thread other;
  os_.OnDecommit([&] {
    if (other.joinable()) return;
    other = std::thread([&] { LockGuard guard(arena_.lock()); });
    while (!arena_.lock().HasSleepers()) sched_yield();
  });
  bool pending = false;

  EXPECT_TRUE(arena_.SweepStep(1, true, &pending));
  EXPECT_TRUE(arena_.IsWanted());

  other.join();
  arena_.SweepStep(1, true, &pending);
  EXPECT_FALSE(arena_.IsWanted());
}

TEST_F(ArenaSweepTest, AtOnceMeansTheFirstRound) {
  std::byte* const run = FreeDirtyRun(kRunBytes);
  bool pending = false;

  Sweep(1, true, &pending);

  EXPECT_FALSE(pending);
  EXPECT_EQ(CountPagesWithMemory(run, kRunBytes), 0u);
}

TEST_F(ArenaSweepTest, WhatWasUsedBetweenTwoRoundsStays) {
  std::byte* const run = FreeDirtyRun(kRunBytes);
  Sweep(1);
  ASSERT_EQ(arena_.TakeRun(kRunBytes, 16, nullptr), run);
  arena_.GiveRun(RunOf(run));

  Sweep(2);
  EXPECT_EQ(ReturnedRanges(), 0u);

  Sweep(3);
  EXPECT_EQ(CountPagesWithMemory(run, kRunBytes), 0u);
}

TEST_F(ArenaSweepTest, WhatIsLeftOfARunThatWasTakenInBetweenReturns) {
  std::byte* const run = FreeDirtyRun(kRunBytes);
  const size_t taken = 100 * kKiB;
  ASSERT_EQ(arena_.TakeRun(taken, 16, nullptr), run)
      << "from its start, so the rest begins elsewhere";

  bool pending = false;
  Sweep(1, true, &pending);

  EXPECT_EQ(CountPagesWithMemory(run, kRunBytes), taken / OsPageBytes());
}

// Whatever the order of taking, giving and sweeping: a round that takes all leaves no free page
// behind that holds memory.
TEST_F(ArenaSweepTest, ARoundThatTakesAllMissesNothing) {
  std::mt19937_64 random(11);
  std::vector<std::byte*> runs;
  std::vector<std::byte*> blocks;
  uint32_t round = 0;
  const SizeClass c = ClassOf(4096);
  for (int i = 0; i < 4000; ++i) {
    switch (random() % 6) {
      case 0:
      case 1:
        runs.push_back(arena_.TakeRun(33 * kKiB + random() % (400 * kKiB), 16, nullptr));
        memset(runs.back(), 1, 33 * kKiB);
        break;
      case 2:
      case 3:
        if (runs.empty()) break;
        std::swap(runs[random() % runs.size()], runs.back());
        arena_.GiveRun(RunOf(runs.back()));
        runs.pop_back();
        break;
      case 4:
        for (std::byte* block : Take(c, 1 + random() % 20)) {
          memset(block, 1, ClassBytes(c));
          blocks.push_back(block);
        }
        break;
      case 5:
        for (size_t n = random() % 20; n > 0 && !blocks.empty(); --n) {
          std::swap(blocks[random() % blocks.size()], blocks.back());
          Give({blocks.back()});
          blocks.pop_back();
        }
        break;
    }
    if (random() % 16 == 0) Sweep(++round);
    if (random() % 64 != 0) continue;
    bool pending = false;
    Sweep(++round, true, &pending);
    ASSERT_EQ(Stats().dirty_bytes, 0u) << "at " << i;
  }
}

TEST_F(ArenaSweepTest, PagesThatWereNeverTouchedAreNotReturned) {
  arena_.TakeRun(kRunBytes, 16, nullptr);  // and nearly all of the superblock is free

  Sweep(1);
  Sweep(2);

  EXPECT_EQ(ReturnedRanges(), 0u);
}

TEST_F(ArenaSweepTest, ReturnedPagesAreReturnedOnceAndKnownToBeZero) {
  std::byte* const run = FreeDirtyRun(kRunBytes);
  Sweep(1);
  Sweep(2);
  const size_t ranges = ReturnedRanges();

  Sweep(3);
  bool pending = false;
  Sweep(4, true, &pending);

  EXPECT_EQ(ReturnedRanges(), ranges);
  ZeroPages zero;
  ASSERT_EQ(arena_.TakeRun(kRunBytes, 16, &zero), run);
  EXPECT_EQ(zero.zero.CountRange(0, ZeroPages::kMax), kRunBytes / OsPageBytes());
  EXPECT_TRUE(IsZero(run, kRunBytes));
}

TEST_F(ArenaSweepTest, PagesThatWereReturnedLazilyMayHoldOldContents) {
  g_options.madv_free = 1;
  std::byte* const block = FreeDirtyRun(kRunBytes);
  for (uint32_t round = 1; round <= 2; ++round) Sweep(round);
  ASSERT_EQ(ReturnedRanges(), 1u);
  g_options.madv_free = 0;

  ZeroPages zero_pages;
  ASSERT_EQ(arena_.TakeRun(kRunBytes, 16, &zero_pages), block);

  EXPECT_EQ(zero_pages.zero.FindFrom(0), ZeroPages::kMax);
}

TEST_F(ArenaSweepTest, WhatIsFreedAfterAllWasCleanIsFound) {
  if (PagesPerSlab() < 4) GTEST_SKIP() << "a slab has too few pages";
  std::byte* const run = arena_.TakeRun(kRunBytes, 16, nullptr);
  arena_.TakeRun(OsPageBytes(), 16, nullptr);
  memset(run, 1, kRunBytes);
  const std::vector<std::byte*> blocks = TakeSlabful(ClassOf(1024));
  bool pending = false;
  Sweep(1, false, &pending);
  ASSERT_FALSE(pending);

  arena_.GiveRun(RunOf(run));
  Sweep(2);
  Sweep(3);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kRunBytes);

  Give({blocks.begin(), blocks.end() - 1});
  Sweep(4);
  Sweep(5);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kRunBytes + kUnitBytes - OsPageBytes());
}

TEST_F(ArenaSweepTest, OnlyWholePagesOfAFreeRunReturn) {
  // A free run that begins and ends in the middle of a page.
  std::byte* const before = arena_.TakeRun(kMediumMax + 512, 16, nullptr);
  std::byte* const run = arena_.TakeRun(kRunBytes + 512, 16, nullptr);
  std::byte* const after = arena_.TakeRun(kMediumMax + 512, 16, nullptr);
  ASSERT_NE(AddressOf(run) % OsPageBytes(), 0u);
  for (std::byte* block : {before, run, after}) {
    FillPattern(block, RunOf(block).bytes(), KeyOfAddress(block));
  }
  arena_.GiveRun(RunOf(run));

  Sweep(1);
  Sweep(2);

  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kRunBytes - OsPageBytes());
  for (std::byte* block : {before, after}) {
    EXPECT_EQ(FindDamage(block, RunOf(block).bytes(), KeyOfAddress(block)), kIntact);
  }
}

TEST_F(ArenaSweepTest, PagesInsideASparseSlabReturnAndItsLiveBlocksStay) {
  if (PagesPerSlab() < 4) GTEST_SKIP() << "a slab has too few pages";
  const SizeClass c = ClassOf(256);
  const std::vector<std::byte*> blocks = TakeSlabful(c);
  std::byte* const first = blocks.front();
  std::byte* const last = blocks.back();
  Give({blocks.begin() + 1, blocks.end() - 1});

  bool pending = false;
  Sweep(1, false, &pending);
  EXPECT_TRUE(pending);
  EXPECT_EQ(ReturnedRanges(), 0u);
  pending = false;
  Sweep(2, false, &pending);

  EXPECT_FALSE(pending);
  EXPECT_EQ(ReturnedRanges(), 1u);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kUnitBytes - 2 * OsPageBytes());
  EXPECT_EQ(CountPagesWithMemory(first, kUnitBytes), 2u);
  for (std::byte* block : {first, last}) {
    EXPECT_EQ(FindDamage(block, 256, KeyOfAddress(block)), kIntact);
  }
  EXPECT_EQ(Stats().dirty_bytes, 0u);
  // The blocks on the returned pages are there to be taken, after those on pages with memory.
  EXPECT_EQ(Take(c, 1000).size(), blocks.size() - 2);
}

TEST_F(ArenaSweepTest, ABlockTakenBetweenTwoRoundsKeepsItsPageOfASlab) {
  if (PagesPerSlab() < 4) GTEST_SKIP() << "a slab has too few pages";
  const SizeClass c = ClassOf(1024);
  const std::vector<std::byte*> blocks = TakeSlabful(c);
  Give({blocks.begin(), blocks.end() - 1});
  Sweep(1);
  Give(Take(c, 1));  // from the first page

  Sweep(2);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kUnitBytes - 2 * OsPageBytes());

  Sweep(3);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kUnitBytes - OsPageBytes());
}

// In a superblock with huge pages, full of blocks that each fill a page's half.
class HugePagesSweepTest : public ArenaSweepTest {
 protected:
  void SetUp() override {
    if (OsPageBytes() != kMinPageBytes) GTEST_SKIP() << "no huge pages of 2 MiB";
    os_.GiveHugePages(true);
    for (size_t i = 0; i < RunHeap::kSmallArena * kUnitsPerSuperblock; ++i) TakeSlabful(kClass);
    for (size_t i = 0; i < kUnitsPerSuperblock; ++i) {
      const std::vector<std::byte*> slabful = TakeSlabful(kClass);
      blocks_.insert(blocks_.end(), slabful.begin(), slabful.end());
    }
    std::sort(blocks_.begin(), blocks_.end());
    superblock_ = SuperblockOf(blocks_[0]);
    EXPECT_EQ(SuperblockOf(blocks_.back()), superblock_);
    ASSERT_TRUE(superblock_->has_huge_pages);
  }

  // Of two blocks in a page.
  void FreePages(size_t first, size_t count) {
    Give({blocks_.begin() + static_cast<ptrdiff_t>(2 * first),
          blocks_.begin() + static_cast<ptrdiff_t>(2 * (first + count))});
  }

  static constexpr SizeClass kClass = ClassOf(2048);
  static constexpr size_t kEnough = kSuperblockBytes / 8 / kMinPageBytes;
  std::vector<std::byte*> blocks_;
  Superblock* superblock_;
};

TEST_F(HugePagesSweepTest, TheyDoNotFallApartForLittle) {
  FreePages(0, kEnough - 1);

  for (uint32_t round = 1; round <= 3; ++round) Sweep(round);

  EXPECT_EQ(os_.calls(FakeOs::kDecommit), 0u);
  EXPECT_TRUE(superblock_->has_huge_pages);
}

TEST_F(HugePagesSweepTest, TheyFallApartForMuchAndAreNotPutTogetherAgain) {
  FreePages(0, kEnough - 1);
  for (uint32_t round = 1; round <= 2; ++round) Sweep(round);
  FreePages(kEnough - 1, 1);

  for (uint32_t round = 3; round <= 4; ++round) Sweep(round);

  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kEnough * kMinPageBytes);
  EXPECT_FALSE(superblock_->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseSmall), 1u);
  EXPECT_EQ(superblock_->pages, Pages::kHuge) << "or its free runs would be in other bins";
  FreePages(kEnough, 1);
  for (uint32_t round = 5; round <= 6; ++round) Sweep(round);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), (kEnough + 1) * kMinPageBytes);
}

// A huge page comes as a whole with its first slab, and a slab is not freed memory.
TEST_F(HugePagesSweepTest, OneThatIsHardlyUsedFallsApart) {
  const std::vector<std::byte*> slabful = TakeSlabful(kClass);
  Superblock* const superblock = SuperblockOf(slabful[0]);
  ASSERT_NE(superblock, superblock_);
  for (uint32_t round = 1; round <= 2; ++round) Sweep(round);
  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kHugePageBytes - kUnitBytes);
  EXPECT_FALSE(superblock->has_huge_pages);
  superblock_->needs_sweep = false;

  superblock->has_huge_pages = true;  // as if it had been filled in time
  while (SuperblockOf(TakeSlabful(kClass)[0]) == superblock && !superblock->needs_sweep) {
  }

  EXPECT_TRUE(superblock->needs_sweep);
}

TEST_F(HugePagesSweepTest, WhatWasNotWorthItGoesAtOnceInSeveralSteps) {
  for (size_t page = 0; page < 100; ++page) FreePages(4 * page, 1);
  for (uint32_t round = 1; round <= 3; ++round) Sweep(round);
  ASSERT_FALSE(superblock_->needs_sweep);
  ASSERT_GT(Stats().dirty_bytes, Arena::kSweepRanges * kMinPageBytes);

  bool pending = false;
  Sweep(4, true, &pending);

  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(HugePagesSweepTest, TheyFallApartAtOnceWhereThatIsAskedFor) {
  FreePages(0, 1);

  bool pending = false;
  Sweep(1, true, &pending);

  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), kMinPageBytes);
  EXPECT_FALSE(superblock_->has_huge_pages);
}

TEST_F(ArenaSweepTest, AnEmptySlabBecomesAFreeRunAndItsPagesReturn) {
  const std::vector<std::byte*> blocks = TakeSlabful(ClassOf(64));
  Give(blocks);
  ASSERT_EQ(Stats().slab_bytes, kUnitBytes);

  Sweep(1);
  EXPECT_EQ(Stats().slab_bytes, 0u);
  EXPECT_EQ(map_.Unit(AddressOf(blocks[0])), 0u);
  Sweep(2);

  EXPECT_EQ(CountPagesWithMemory(blocks[0], kUnitBytes), 0u);
  ExpectStatsAddUp();
}

TEST_F(ArenaSweepTest, AStepReturnsABoundedNumberOfRanges) {
  constexpr size_t kRuns = 3 * Arena::kSweepRanges + 5;
  const std::vector<std::byte*> runs = FreeEverySecond(kRuns);
  Sweep(1);

  size_t before = 0;
  bool pending = false;
  while (arena_.SweepStep(2, false, &pending)) {
    EXPECT_LE(ReturnedRanges() - before, size_t{Arena::kSweepRanges});
    before = ReturnedRanges();
  }

  EXPECT_EQ(ReturnedRanges(), kRuns);
  for (std::byte* run : runs) EXPECT_EQ(CountPagesWithMemory(run, 2 * OsPageBytes()), 0u);
}

TEST_F(ArenaSweepTest, AStepReturnsABoundedNumberOfPages) {
  FreeThreeOfFour(16);
  Sweep(1);

  size_t before = 0;
  bool pending = false;
  while (arena_.SweepStep(2, false, &pending)) {
    EXPECT_LE(os_.bytes(FakeOs::kDecommit) - before, Arena::kSweepPages * OsPageBytes());
    before = os_.bytes(FakeOs::kDecommit);
  }

  EXPECT_EQ(os_.bytes(FakeOs::kDecommit), 12 * kLargeMax);
}

TEST_F(ArenaSweepTest, WhatARoundMarksItDoesNotReturnInALaterStep) {
  std::vector<std::byte*> freed = FreeEverySecond(3 * Arena::kSweepRanges);
  Sweep(1);
  // Fresh, and at the start of what the next round returns in several steps.
  std::byte* const fresh = freed[0] + 2 * OsPageBytes();
  arena_.GiveRun(RunOf(fresh));

  EXPECT_GT(Sweep(2), 1);
  EXPECT_EQ(CountPagesWithMemory(fresh, 2 * OsPageBytes()), 2u);

  Sweep(3);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, NorIfItIsTheBeginningOfALongFreeRun) {
  std::vector<std::byte*> runs;
  for (int i = 0; i < 3; ++i) {
    runs.push_back(arena_.TakeRun(kLargeMax, 16, nullptr));
    memset(runs.back(), 1, kLargeMax);
  }
  std::sort(runs.begin(), runs.end());
  ASSERT_EQ(runs[2] - runs[0], 2 * kLargeMax) << "they lie side by side";
  for (int i : {1, 2}) arena_.GiveRun(RunOf(runs[static_cast<size_t>(i)]));
  Sweep(1);
  arena_.GiveRun(RunOf(runs[0]));

  // What is marked already takes one step's pages, and more.
  ASSERT_GE(2 * kLargeMax / kMinPageBytes, Arena::kSweepPages);
  Sweep(2);
  EXPECT_EQ(CountPagesWithMemory(runs[0], kLargeMax), kLargeMax / OsPageBytes());
  EXPECT_EQ(CountPagesWithMemory(runs[1], 2 * kLargeMax), 0u);

  Sweep(3);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, NorIfAStepEndsInItsSlab) {
  if (PagesPerSlab() < 8) GTEST_SKIP() << "a slab has too few pages";
  FreeEverySecond(Arena::kSweepRanges - 1);
  const size_t blocks_per_page = OsPageBytes() / 1024;
  const std::vector<std::byte*> blocks = TakeSlabful(ClassOf(1024));
  const auto free_page = [&](size_t page) {
    const auto first = blocks.begin() + static_cast<ptrdiff_t>(page * blocks_per_page);
    Give({first, first + static_cast<ptrdiff_t>(blocks_per_page)});
  };
  for (size_t page : {0, 2}) free_page(page);
  Sweep(1);
  for (size_t page : {4, 6}) free_page(page);

  Sweep(2);
  EXPECT_EQ(Stats().dirty_bytes, 2 * OsPageBytes());

  Sweep(3);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, NorIfItMergesWithAnEmptySlabMeanwhile) {
  const std::vector<std::byte*> blocks = TakeSlabful(ClassOf(64));
  ASSERT_EQ(AddressOf(blocks[0]) % kSuperblockBytes, kSuperblockBytes - kUnitBytes);
  // All the rest of the superblock, from below.
  for (int i = 0; i < 3; ++i) arena_.TakeRun(kLargeMax, 16, nullptr);
  std::byte* const left = arena_.TakeRun(kLargeMax - kUnitBytes, 16, nullptr);
  ASSERT_EQ(left + kLargeMax - kUnitBytes, blocks[0]);
  memset(left, 1, kLargeMax - kUnitBytes);
  arena_.GiveRun(RunOf(left));
  Give(blocks);

  bool pending = false;
  Sweep(1, false, &pending);
  EXPECT_TRUE(pending);
  EXPECT_EQ(ReturnedRanges(), 0u);

  Sweep(2);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, WhatIsFreedBehindAStepIsFoundLater) {
  std::vector<std::byte*> runs;
  for (int i = 0; i < 3; ++i) {
    runs.push_back(arena_.TakeRun(kLargeMax, 16, nullptr));
    memset(runs.back(), 1, kLargeMax);
  }
  std::sort(runs.begin(), runs.end());
  for (std::byte* run : runs) arena_.GiveRun(RunOf(run));
  Sweep(1);
  bool pending = false;
  ASSERT_TRUE(arena_.SweepStep(2, false, &pending));
  ASSERT_GT(Stats().dirty_bytes, 0u) << "there is more to do";

  for (size_t bytes : {300 * kKiB, kRunBytes}) {
    std::byte* const run = arena_.TakeRun(bytes, 16, nullptr);
    ASSERT_LT(run, runs[1]);
    memset(run, 1, bytes);
    runs.push_back(run);
  }
  arena_.GiveRun(RunOf(runs.back()));
  Sweep(2);
  EXPECT_EQ(CountPagesWithMemory(runs.back(), kRunBytes), kRunBytes / OsPageBytes());

  for (uint32_t round = 3; round <= 4; ++round) Sweep(round);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, WhereTheOsRefusesSomeTheOthersReturn) {
  FreeEverySecond(16);
  os_.Refuse(FakeOs::kDecommit);
  bool pending = false;

  Sweep(1, true, &pending);

  EXPECT_GT(Stats().dirty_bytes, 0u);
  EXPECT_LT(Stats().dirty_bytes, kUnitBytes) << "only what lies in the same unit";
  Sweep(2, true, &pending);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, RunsThatMergeBetweenTwoStepsAreFoundAllTheSame) {
  const std::vector<std::byte*> runs = FreeEverySecond(2 * Arena::kSweepRanges);
  Sweep(1);
  bool pending = false;
  ASSERT_TRUE(arena_.SweepStep(2, false, &pending));

  for (std::byte* run : runs) arena_.GiveRun(RunOf(run + 2 * OsPageBytes()));
  for (uint32_t round = 2; round <= 4; ++round) Sweep(round);

  for (std::byte* run : runs) ASSERT_EQ(CountPagesWithMemory(run, 4 * OsPageBytes()), 0u);
  ExpectStatsAddUp();
}

TEST_F(ArenaSweepTest, ARoundEndsAfterEverySuperblockAndDoesNotRepeat) {
  // Kept, so that three superblocks stay in use.
  std::byte* last = nullptr;
  for (int i = 0; i < 12; ++i) last = arena_.TakeRun(kLargeMax, 16, nullptr);
  ASSERT_NE(last, nullptr);
  bool pending = false;

  EXPECT_EQ(Sweep(1, false, &pending), 3);
  EXPECT_EQ(Sweep(1, false, &pending), 0);
  EXPECT_EQ(Sweep(2, false, &pending), 0) << "nothing was freed: none takes a step";
  arena_.GiveRun(RunOf(last));
  EXPECT_EQ(Sweep(3, false, &pending), 1);
}

TEST_F(ArenaSweepTest, AnArenaWithoutSuperblocksHasNothingToSweep) {
  bool pending = false;

  EXPECT_EQ(Sweep(1, true, &pending), 0);

  EXPECT_FALSE(pending);
}

TEST_F(ArenaSweepTest, EmptySuperblocksOfEmptySlabsGoBack) {
  // Each slab is the last of its class, so only a sweep takes it apart.
  std::vector<std::byte*> blocks;
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const std::vector<std::byte*> some = Take(c, 1);
    blocks.insert(blocks.end(), some.begin(), some.end());
  }
  std::byte* const fill[] = {arena_.TakeRun(kLargeMax, 16, nullptr),
                             arena_.TakeRun(kLargeMax, 16, nullptr),
                             arena_.TakeRun(kLargeMax, 16, nullptr)};
  Give(blocks);
  for (std::byte* block : fill) arena_.GiveRun(RunOf(block));
  ASSERT_GE(Stats().superblock_bytes, 2 * kSuperblockBytes);
  ASSERT_EQ(Stats().slab_bytes, (kSmallClasses - 1) * kUnitBytes);

  Sweep(1);

  EXPECT_EQ(Stats().slab_bytes, 0u);
  EXPECT_EQ(Stats().superblock_bytes, kSuperblockBytes);
  EXPECT_GE(central_.free_superblocks(), 1u);
  ExpectStatsAddUp();
}

TEST_F(ArenaSweepTest, PagesOfARefusedReturnStillCountAsTouched) {
  std::byte* const run = FreeDirtyRun(kRunBytes);
  os_.RefuseEvery(FakeOs::kDecommit);

  Sweep(1);
  Sweep(2);

  EXPECT_EQ(central_.returned_bytes(), 0u);
  EXPECT_EQ(Stats().dirty_bytes, kRunBytes);
  os_.RefuseNothing();
  bool pending = false;
  Sweep(3, true, &pending);
  EXPECT_EQ(CountPagesWithMemory(run, kRunBytes), 0u);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

TEST_F(ArenaSweepTest, ARoundEndsEvenIfNothingCanBeReturned) {
  // More pages, and more ranges, than two steps may return.
  FreeThreeOfFour(16);
  FreeEverySecond(3 * Arena::kSweepRanges);
  const std::vector<std::byte*> blocks = TakeSlabful(ClassOf(1024));
  Give({blocks.begin() + 1, blocks.end()});
  os_.RefuseEvery(FakeOs::kDecommit);

  for (uint32_t round = 1; round <= 6; ++round) {
    const bool at_once = round > 3;
    bool pending = false;
    int steps = 0;
    while (steps < 1000 && arena_.SweepStep(round, at_once, &pending)) ++steps;
    EXPECT_LT(steps, 1000) << "in round " << round;
  }
}

TEST_F(ArenaSweepTest, ARefusedReturnOfASlabsPagesLosesNothing) {
  if (PagesPerSlab() < 4) GTEST_SKIP() << "a slab has too few pages";
  const std::vector<std::byte*> blocks = TakeSlabful(ClassOf(256));
  Give({blocks.begin() + 1, blocks.end()});
  os_.RefuseEvery(FakeOs::kDecommit);

  Sweep(1);
  Sweep(2);

  EXPECT_EQ(Stats().dirty_bytes, kUnitBytes - OsPageBytes());
  EXPECT_EQ(Take(ClassOf(256), 1000).size(), blocks.size() - 1);
}

TEST_F(ArenaSweepTest, DirtyBytesAreThoseThatASweepReturns) {
  for (SizeClass c = 1; c < kSizeClasses; c += 3) {
    std::vector<std::byte*> blocks = Take(c, 40);
    for (std::byte* block : blocks) memset(block, 1, ClassBytes(c));
    blocks.erase(blocks.begin());  // lives on
    Give(blocks);
  }
  const size_t dirty = Stats().dirty_bytes;
  ASSERT_GT(dirty, 0u);
  bool pending = false;

  Sweep(1, true, &pending);

  EXPECT_EQ(Stats().dirty_bytes, 0u);
  EXPECT_GE(os_.bytes(FakeOs::kDecommit), dirty);
  ExpectStatsAddUp();
}

// A trim while the background thread is in the middle of its round.
TEST_F(ArenaSweepTest, TwoRoundsAtATimeBothReachEverySuperblock) {
  FreeThreeOfFour(16);
  bool pending = false;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(arena_.SweepStep(1, true, &pending));  // one superblock
  for (size_t i = 1; i < Stats().superblock_bytes / kSuperblockBytes; ++i) {
    ASSERT_TRUE(arena_.SweepStep(2, false, &pending));
  }

  while (arena_.SweepStep(1, true, &pending)) {
  }

  EXPECT_EQ(Stats().dirty_bytes, 0u);
}

}  // namespace
}  // namespace cma
