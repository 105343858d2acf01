#include "runs/run_bins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "support/heap_fixture.h"

namespace cma {
namespace {

constexpr uint32_t kSlot = kGranulesPerSlot;

class RunBinsTest : public cma_test::HeapFixture {
 protected:
  // A free run in the bins, `length` long, behind all those made before.
  Run Free(uint32_t length, uint32_t alignment = 1) {
    if (superblock_ != nullptr) next_ = RoundUp(next_, alignment);
    if (superblock_ == nullptr || next_ + length > kGranulesPerSuperblock) {
      superblock_ = central_.TakeSuperblock();
      next_ = 0;
    }
    const Run run = {superblock_, static_cast<uint32_t>(next_), length};
    WriteTags(run, RunState::kFree);
    bins_->Insert(run);
    next_ += length;
    return run;
  }

  static bool Same(const Run& a, const Run& b) {
    return a.superblock == b.superblock && a.start == b.start && a.length == b.length;
  }

  const std::unique_ptr<RunBins> bins_ = std::make_unique<RunBins>(central_);
  Superblock* superblock_ = nullptr;
  size_t next_ = 0;
};

TEST_F(RunBinsTest, EmptyBinsHaveNoFit) {
  EXPECT_EQ(bins_->FindBestFit(kSlot).length, 0u);
  EXPECT_EQ(bins_->FindBestFit(kGranulesPerSuperblock).length, 0u);
  EXPECT_EQ(bins_->FindAligned(kSlot, kSlot).run.length, 0u);
}

TEST_F(RunBinsTest, AnExactFitIsPreferred) {
  for (const uint32_t length : {16u, 100u, 101u, 120u, 300u, 511u, 600u, 5000u}) Free(length);

  for (const uint32_t length : {16u, 100u, 101u, 120u, 300u, 511u, 600u, 5000u}) {
    EXPECT_EQ(bins_->FindBestFit(length).length, length);
  }
}

TEST_F(RunBinsTest, ARestShorterThanASlotIsNeverLeftOfAShortRun) {
  Free(100);
  Free(100 + kSlot - 1);
  const Run right = Free(99 + kSlot);

  EXPECT_TRUE(Same(bins_->FindBestFit(99), right));
  EXPECT_EQ(bins_->FindBestFit(98).length, 99 + kSlot);
}

TEST_F(RunBinsTest, OnlySliversAreNoFitForAShortRun) {
  Free(100 + kSlot - 1);
  Free(101);

  EXPECT_EQ(bins_->FindBestFit(100).length, 0u);
}

TEST_F(RunBinsTest, TheLongestMediumClassTakesNoSliverEither) {
  constexpr uint32_t kLength = kMediumMax / kGranuleBytes;
  Free(kLength + kSlot - 1);
  EXPECT_EQ(bins_->FindBestFit(kLength).length, 0u);

  const Run exact = Free(kLength);

  EXPECT_TRUE(Same(bins_->FindBestFit(kLength), exact));
}

TEST_F(RunBinsTest, TheShortestOfThoseThatSplitIsTaken) {
  Free(400);
  const Run best = Free(150);
  Free(2000);

  EXPECT_TRUE(Same(bins_->FindBestFit(120), best));
}

TEST_F(RunBinsTest, ALongRunIsFoundAmongOthersOfItsBin) {
  // 1,024 to 1,087 granules share a bin.
  Free(1030);
  const Run right = Free(1080);
  Free(1050);

  EXPECT_GE(bins_->FindBestFit(1060).length, 1060u);
  EXPECT_TRUE(Same(bins_->FindBestFit(1060), right));
}

TEST_F(RunBinsTest, ALongRunIsFoundInAHigherBin) {
  Free(1030);
  const Run higher = Free(1100);
  Free(40'000);

  EXPECT_TRUE(Same(bins_->FindBestFit(1050), higher));
}

TEST_F(RunBinsTest, OfLongRunsThatFitALowerOneMayBeALittleLonger) {
  const Run much_longer = Free(4000);
  const Run longer = Free(2700);
  const Run best = Free(2000);
  Free(2500);

  EXPECT_TRUE(Same(bins_->FindBestFit(1800), longer));
  bins_->Remove(longer);
  EXPECT_TRUE(Same(bins_->FindBestFit(1800), best));
  EXPECT_TRUE(Same(bins_->FindBestFit(2800), much_longer));
}

TEST_F(RunBinsTest, OfShortRunsTheLowerOneIsNotPreferred) {
  Free(250);
  const Run best = Free(200);

  EXPECT_TRUE(Same(bins_->FindBestFit(150), best));
}

TEST_F(RunBinsTest, AWholeSuperblockIsFound) {
  const Run whole = Free(kGranulesPerSuperblock);

  EXPECT_TRUE(Same(bins_->FindBestFit(kGranulesPerSuperblock), whole));
  EXPECT_TRUE(Same(bins_->FindBestFit(kSlot), whole));
}

TEST_F(RunBinsTest, ARemovedRunIsNotFound) {
  const Run first = Free(100);
  const Run second = Free(100);
  const Run third = Free(100);

  bins_->Remove(second);
  bins_->Remove(third);

  EXPECT_TRUE(Same(bins_->FindBestFit(100), first));
  bins_->Remove(first);
  EXPECT_EQ(bins_->FindBestFit(100).length, 0u);
}

TEST_F(RunBinsTest, RunsOfManySuperblocksShareABin) {
  std::vector<Run> runs;
  for (int i = 0; i < 20; ++i) {
    runs.push_back(Free(700));
    next_ = kGranulesPerSuperblock;
  }

  while (!runs.empty()) {
    const Run found = bins_->FindBestFit(700);
    const auto at =
        std::find_if(runs.begin(), runs.end(), [&](const Run& run) { return Same(run, found); });
    ASSERT_NE(at, runs.end());
    runs.erase(at);
    bins_->Remove(found);
  }
  EXPECT_EQ(bins_->FindBestFit(700).length, 0u);
}

TEST_F(RunBinsTest, AnAlignedPlaceLiesAtAMultipleWithinItsRun) {
  const Run run = Free(5000);
  for (uint32_t alignment = 2; alignment <= 2048; alignment *= 2) {
    const RunBins::Place place = bins_->FindAligned(500, alignment);

    ASSERT_TRUE(Same(place.run, run)) << alignment;
    EXPECT_EQ(place.start % alignment, 0u);
    EXPECT_GE(place.start, run.start);
    EXPECT_LE(place.start + 500, run.end());
    const uint32_t below = place.start - run.start;
    const uint32_t above = run.end() - place.start - 500;
    EXPECT_TRUE(below == 0 || below >= kSlot) << below;
    EXPECT_TRUE(above == 0 || above >= kSlot) << above;
  }
}

TEST_F(RunBinsTest, AnAlignedPlaceThatWouldLeaveASliverIsPassedOver) {
  Free(1);  // not a run, but it sets the next one one granule off
  const Run run = Free(64 + 8);
  // The only multiple of 64 in it lies 63 granules in: 9 granules are left, which is no use.
  ASSERT_EQ(run.start, 1u);

  EXPECT_EQ(bins_->FindAligned(kSlot, 64).run.length, 0u);
}

TEST_F(RunBinsTest, ATooShortRunIsNoAlignedPlace) {
  Free(499);
  Free(256);

  EXPECT_EQ(bins_->FindAligned(500, 2).run.length, 0u);
}

// Every answer against a search over all runs there are.
TEST_F(RunBinsTest, FitsAreRightForRandomRuns) {
  std::mt19937 random(1);
  const auto Length = [&random] {
    const uint32_t scale = 1u << (random() % 10);
    return std::min<uint32_t>(kSlot + random() % (64 * scale), 16'000);
  };
  std::vector<Run> runs;
  for (int step = 0; step < 4000; ++step) {
    if (random() % 2 == 0 || runs.empty()) {
      runs.push_back(Free(Length()));
    } else {
      const size_t i = random() % runs.size();
      bins_->Remove(runs[i]);
      runs[i] = runs.back();
      runs.pop_back();
    }
    if (runs.size() > 60) {
      bins_->Remove(runs.front());
      runs.erase(runs.begin());
    }

    const uint32_t wanted = Length();
    const Run found = bins_->FindBestFit(wanted);

    if (found.length != 0) {
      ASSERT_GE(found.length, wanted);
      ASSERT_TRUE(
          std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return Same(run, found); }));
    }
    if (wanted + kSlot < 512) {
      // Lengths with a bin each: exactly the best.
      uint32_t best = 0;
      for (const Run& run : runs) {
        const bool fits = run.length == wanted || run.length >= wanted + kSlot;
        if (fits && (best == 0 || run.length < best)) best = run.length;
      }
      if (best < 512) {
        ASSERT_EQ(found.length, best) << wanted;
      } else {
        ASSERT_NE(found.length, 0u) << wanted;
      }
    } else {
      // A run that is in a higher bin in any case is never overlooked.
      const bool sure = std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
        return run.length >= wanted + wanted / 16 + 2 * kSlot;
      });
      ASSERT_TRUE(!sure || found.length != 0) << wanted;
    }
  }
}

}  // namespace
}  // namespace cma
