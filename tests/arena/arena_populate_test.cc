#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "support/arena_fixture.h"
#include "support/pages.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using cma_test::FakeOs;

class ArenaPopulateTest : public cma_test::ArenaFixture {
 protected:
  struct Taken {
    std::vector<std::byte*> blocks;
    PageRange ahead;
  };

  Taken TakeAhead(SizeClass c, size_t want) {
    Taken taken;
    taken.blocks.resize(want);
    LockGuard guard(arena_.lock());
    taken.blocks.resize(
        arena_.TakeBlocks(c, taken.blocks.data(), want, Growth::kBySuperblocks, &taken.ahead));
    return taken;
  }

  // Opens slabs of the class until it has so many, each filled and written; the most pages that
  // came ahead at once.
  size_t FillSlabs(SizeClass c, size_t slabs) {
    const size_t batch = std::max<size_t>(4 * kKiB / ClassBytes(c), 1);
    size_t most = 0;
    for (size_t taken = 0; taken < slabs * (kUnitBytes / ClassBytes(c));) {
      const Taken some = TakeAhead(c, batch);
      EXPECT_FALSE(some.blocks.empty());
      for (std::byte* block : some.blocks) memset(block, 1, ClassBytes(c));
      taken += some.blocks.size();
      most = std::max(most, some.ahead.bytes / page_);
    }
    return most;
  }

  const size_t page_ = OsPageBytes();
};

TEST_F(ArenaPopulateTest, AFirstSlabFetchesNothing) { EXPECT_EQ(FillSlabs(ClassOf(256), 1), 0u); }

TEST_F(ArenaPopulateTest, AClassGoesAheadByAPageForEachOfItsSlabs) {
  if (page_ != 4 * kKiB) GTEST_SKIP() << "pages of another size";
  EXPECT_EQ(FillSlabs(ClassOf(256), 2), 2u);
  EXPECT_EQ(FillSlabs(ClassOf(256), 3), 5u);
  EXPECT_EQ(FillSlabs(ClassOf(256), 20), PagesPerSlab());
}

TEST_F(ArenaPopulateTest, TheFirstPageAheadIsThatOfTheFirstBlock) {
  FillSlabs(ClassOf(256), 4);

  const Taken taken = TakeAhead(ClassOf(256), 4);

  ASSERT_GT(taken.ahead.bytes, page_);
  EXPECT_EQ(taken.ahead.start, taken.blocks.back());
}

TEST_F(ArenaPopulateTest, PopulateAsksTheOsOnce) {
  FillSlabs(ClassOf(256), 4);
  const Taken taken = TakeAhead(ClassOf(256), 4);

  arena_.Populate(taken.ahead);
  arena_.Populate({});

  EXPECT_EQ(os_.calls(FakeOs::kPopulate), 1u);
  EXPECT_EQ(os_.bytes(FakeOs::kPopulate), taken.ahead.bytes);
}

TEST_F(ArenaPopulateTest, TheTailWhereNoBlockFitsStaysUntouched) {
  constexpr size_t kBytes = 12 * kKiB;  // five to a slab, with a page left over
  if (page_ != 4 * kKiB) GTEST_SKIP() << "pages of another size";
  ASSERT_EQ(ClassBytes(ClassOf(kBytes)), kBytes);
  size_t fetched = 0;
  for (int i = 0; i < 200; ++i) {
    const Taken taken = TakeAhead(ClassOf(kBytes), 1);
    ASSERT_EQ(taken.blocks.size(), 1u);
    memset(taken.blocks[0], 1, kBytes);
    if (taken.ahead.bytes == 0) continue;
    fetched += taken.ahead.bytes;
    EXPECT_LE(AddressOf(taken.ahead.end() - 1) % kUnitBytes, 5 * kBytes - 1);
  }
  EXPECT_GT(fetched, 100 * kBytes);
}

TEST_F(ArenaPopulateTest, LargerBlocksOfWhichOneByteIsWrittenBringNothingAhead) {
  constexpr size_t kBytes = 12 * kKiB;
  for (int i = 0; i < 200; ++i) {
    const Taken taken = TakeAhead(ClassOf(kBytes), 1);
    ASSERT_EQ(taken.blocks.size(), 1u);
    *taken.blocks[0] = std::byte{1};
    EXPECT_EQ(taken.ahead.bytes, 0u) << i;
  }
}

TEST_F(ArenaPopulateTest, PagesThatWentBackDoNotComeAhead) {
  const SizeClass c = ClassOf(256);
  // Of each slab a block in the last page lives on.
  std::vector<std::byte*> gone;
  for (int slab = 0; slab < 20; ++slab) {
    for (std::byte* block : Take(c, kUnitBytes / 256)) {
      memset(block, 1, 256);
      if (AddressOf(block) % kUnitBytes < kUnitBytes - 256) gone.push_back(block);
    }
  }
  Give(c, gone);
  Sweep(1);
  Sweep(2);
  ASSERT_FALSE(os_.decommits().empty());

  for (int i = 0; i < 100; ++i) {
    const Taken taken = TakeAhead(c, 16);
    ASSERT_FALSE(taken.blocks.empty());
    EXPECT_EQ(taken.ahead.bytes, 0u) << i;
  }
}

TEST_F(ArenaPopulateTest, WhatIsNotUsedAfterAllGoesBackInTwoRounds) {
  SKIP_WITHOUT_POPULATE();
  FillSlabs(ClassOf(256), 20);
  const Taken taken = TakeAhead(ClassOf(256), 1);
  arena_.Populate(taken.ahead);
  ASSERT_EQ(CountPagesWithMemory(taken.ahead.start, taken.ahead.bytes), taken.ahead.bytes / page_);

  Sweep(1);
  Sweep(2);

  EXPECT_EQ(CountPagesWithMemory(taken.ahead.start, taken.ahead.bytes), 1u);
}

// Runs of a large arena.
class ArenaPopulateRunsTest : public ArenaPopulateTest {
 protected:
  static constexpr size_t kBytes = 64 * kKiB;

  ArenaPopulateRunsTest() {
    for (int i = 0; i < 4; ++i) (void)arena_.TakeRun(kMiB / 2, 1, nullptr);
  }

  // Takes so many, of which the program writes a part; how many were fetched.
  size_t TakeRuns(size_t count, size_t written, ZeroPages* zero_pages = nullptr) {
    const size_t before = os_.calls(FakeOs::kPopulate);
    for (size_t i = 0; i < count; ++i) {
      std::byte* const run = arena_.TakeRun(kBytes, 1, zero_pages);
      EXPECT_NE(run, nullptr);
      memset(run, 1, written);
    }
    return os_.calls(FakeOs::kPopulate) - before;
  }
};

TEST_F(ArenaPopulateRunsTest, RunsThatAreWrittenAreFetched) {
  const size_t fetched = TakeRuns(40, kBytes);

  EXPECT_GT(fetched, 30u);
  EXPECT_EQ(os_.bytes(FakeOs::kPopulate), fetched * kBytes);
}

TEST_F(ArenaPopulateRunsTest, RunsThatAreNotWrittenAreNot) { EXPECT_EQ(TakeRuns(40, 1), 0u); }

TEST_F(ArenaPopulateRunsTest, RunsThatLoseTheirMemoryBeforeTheyAreWrittenAreNot) {
  for (uint32_t round = 1; round <= 10; ++round) {
    std::byte* const run = arena_.TakeRun(kBytes, 1, nullptr);
    *run = std::byte{1};
    arena_.GiveRun(RunOf(run));
    bool pending = false;
    Sweep(round, true, &pending);
    ASSERT_EQ(CountPagesWithMemory(run, kBytes), 0u);
  }

  EXPECT_EQ(os_.calls(FakeOs::kPopulate), 0u);
}

TEST_F(ArenaPopulateRunsTest, ZeroedOnesAreLeftToTheProgram) {
  ASSERT_GT(TakeRuns(40, kBytes), 30u);
  ZeroPages zero_pages;

  EXPECT_EQ(TakeRuns(8, kBytes, &zero_pages), 0u);
}

TEST_F(ArenaPopulateRunsTest, RunsThatHaveMemoryAreLeftAlone) {
  std::vector<std::byte*> runs;
  for (int i = 0; i < 40; ++i) {
    runs.push_back(arena_.TakeRun(kBytes, 1, nullptr));
    memset(runs.back(), 1, kBytes);
  }
  for (std::byte* run : runs) arena_.GiveRun(RunOf(run));

  EXPECT_EQ(TakeRuns(40, kBytes), 0u);
}

TEST_F(ArenaPopulateRunsTest, WhatARunGrowsByIsFetched) {
  size_t grown = 0;
  for (int i = 0; i < 40; ++i) {
    std::byte* const run = arena_.TakeRun(kBytes, 1, nullptr);
    memset(run, 1, kBytes);
    const size_t before = os_.bytes(FakeOs::kPopulate);
    ASSERT_GE(arena_.ResizeRun(RunOf(run), 2 * kBytes), 2 * kBytes);
    grown += os_.bytes(FakeOs::kPopulate) - before;
    memset(run, 1, 2 * kBytes);
  }
  EXPECT_GT(grown, 30 * kBytes);
}

TEST_F(ArenaPopulateRunsTest, NothingIsFetchedWhereThatIsOff) {
  g_options.populate = 0;

  EXPECT_EQ(TakeRuns(40, kBytes), 0u);
  EXPECT_EQ(FillSlabs(ClassOf(256), 20), 0u);
}

TEST_F(ArenaPopulateTest, ASmallArenaLeavesItsRunsAlone) {
  for (int i = 0; i < 12; ++i) memset(arena_.TakeRun(64 * kKiB, 1, nullptr), 1, 64 * kKiB);

  EXPECT_EQ(os_.calls(FakeOs::kPopulate), 0u);
}

}  // namespace
}  // namespace cma
