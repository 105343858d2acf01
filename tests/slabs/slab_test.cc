#include "slabs/slab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "runs/run_heap.h"
#include "slabs/size_classes.h"
#include "support/heap_fixture.h"
#include "support/pages.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using testing::ElementsAre;
using testing::IsEmpty;

class SlabTest : public cma_test::HeapFixture {
 protected:
  Slab* Make(size_t block_bytes) {
    const Run run = heap_->TakeSlabRun();
    return MakeSlab(run, ClassOf(block_bytes));
  }

  static std::vector<std::byte*> Take(Slab* slab, size_t want, decltype(TakeFromSlab) take) {
    std::vector<std::byte*> blocks(want);
    const size_t n = take(slab, blocks.data() + want, want);
    std::reverse(blocks.begin(), blocks.end());
    blocks.resize(n);
    return blocks;
  }

  static std::vector<std::byte*> Take(Slab* slab, size_t want) {
    return Take(slab, want, TakeFromSlab);
  }

  static std::vector<std::byte*> TakeLines(Slab* slab, size_t want) {
    return Take(slab, want, TakeLinesFromSlab);
  }

  static std::vector<std::byte*> TakeAll(Slab* slab) {
    std::vector<std::byte*> blocks;
    for (;;) {
      const std::vector<std::byte*> some = Take(slab, 100);
      if (some.empty()) return blocks;
      blocks.insert(blocks.end(), some.begin(), some.end());
    }
  }

  static void Give(Slab* slab, std::byte* block) { ASSERT_EQ(GiveToSlab(slab, &block, 1), 1u); }

  static void GiveAll(Slab* slab, const std::vector<std::byte*>& blocks) {
    ASSERT_EQ(GiveToSlab(slab, blocks.data(), blocks.size()), blocks.size());
  }

  // Pages that the block lies on.
  static uint16_t PagesOf(const Slab* slab, const std::byte* block) {
    const auto offset = static_cast<size_t>(block - slab->base);
    uint16_t pages = 0;
    for (size_t page = offset / OsPageBytes();
         page <= (offset + slab->block_bytes - 1) / OsPageBytes(); ++page) {
      pages = static_cast<uint16_t>(pages | 1u << page);
    }
    return pages;
  }

  static uint16_t PagesOf(const Slab* slab, const std::vector<std::byte*>& blocks) {
    uint16_t pages = 0;
    for (const std::byte* block : blocks) pages |= PagesOf(slab, block);
    return pages;
  }

  const std::unique_ptr<RunHeap> heap_ = std::make_unique<RunHeap>(central_, ArenaId{0});
};

TEST_F(SlabTest, AFreshSlabGivesItsBlocksInAddressOrder) {
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t bytes = ClassBytes(c);
    Slab* const slab = Make(bytes);

    const std::vector<std::byte*> blocks = TakeAll(slab);

    ASSERT_EQ(blocks.size(), kUnitBytes / bytes);
    for (size_t i = 0; i < blocks.size(); ++i) ASSERT_EQ(blocks[i], slab->base + i * bytes);
    EXPECT_EQ(slab->free_blocks, 0u);
    EXPECT_THAT(Take(slab, 1), IsEmpty());
  }
}

TEST_F(SlabTest, NoMoreBlocksAreTakenThanAreWanted) {
  Slab* const slab = Make(64);

  EXPECT_EQ(Take(slab, 0).size(), 0u);
  EXPECT_EQ(Take(slab, 1).size(), 1u);
  EXPECT_EQ(Take(slab, 130).size(), 130u);

  EXPECT_EQ(slab->free_blocks, slab->capacity - 131u);
}

TEST_F(SlabTest, LinesThatALentBlockLiesOnAreLeftOut) {
  const struct {
    size_t bytes;
    size_t first;  // block that is taken, after the one at 0
    size_t count;  // of up to six
  } cases[] = {{16, 4, 4}, {32, 2, 6}, {48, 4, 4}, {64, 1, 6}, {80, 4, 4}, {96, 2, 6}, {128, 1, 6}};
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.bytes);
    Slab* const slab = Make(expected.bytes);
    Take(slab, 1);

    const std::vector<std::byte*> blocks = TakeLines(slab, 6);

    ASSERT_EQ(blocks.size(), expected.count);
    EXPECT_EQ(blocks.front(), slab->base + expected.first * expected.bytes);
    EXPECT_EQ(blocks.back(), blocks.front() + (expected.count - 1) * expected.bytes);
    EXPECT_EQ(slab->free_blocks, slab->capacity - 1 - expected.count);
  }
}

TEST_F(SlabTest, WhereEveryLineHasALentBlockThereAreNone) {
  Slab* const slab = Make(16);
  const std::vector<std::byte*> blocks = TakeAll(slab);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % 4 != 1) Give(slab, blocks[i]);
  }

  EXPECT_THAT(TakeLines(slab, 4), IsEmpty());

  Give(slab, blocks[1025]);
  EXPECT_THAT(TakeLines(slab, 8),
              ElementsAre(blocks[1024], blocks[1025], blocks[1026], blocks[1027]));
}

TEST_F(SlabTest, TakingBlocksTouchesNoMemory) {
  Slab* const slab = Make(64);

  const std::vector<std::byte*> blocks = TakeAll(slab);
  GiveAll(slab, blocks);

  EXPECT_EQ(CountPagesWithMemory(slab->base, kUnitBytes), 0u);
}

TEST_F(SlabTest, OnlyPagesOfTakenBlocksCountAsTouched) {
  for (const size_t bytes : {16u, 48u, 448u, 960u, 1024u}) {
    Slab* const slab = Make(bytes);
    std::vector<std::byte*> taken;
    while (slab->free_blocks != 0) {
      ASSERT_EQ(slab->touched_pages, PagesOf(slab, taken));
      const std::vector<std::byte*> some = Take(slab, 7);
      taken.insert(taken.end(), some.begin(), some.end());
    }
  }
}

TEST_F(SlabTest, AGivenBlockIsTheNextToBeTaken) {
  Slab* const slab = Make(64);
  const std::vector<std::byte*> blocks = TakeAll(slab);

  Give(slab, blocks[500]);
  Give(slab, blocks[3]);

  EXPECT_THAT(Take(slab, 5), ElementsAre(blocks[3], blocks[500]));
}

TEST_F(SlabTest, ABatchIsTakenBackAsFarAsItLiesInTheSlab) {
  Slab* const first = Make(64);
  Slab* const second = Make(64);
  std::vector<std::byte*> batch = Take(first, 3);
  const std::vector<std::byte*> others = Take(second, 2);
  batch.insert(batch.end(), others.begin(), others.end());
  batch.push_back(batch[0]);  // behind the others: not looked at

  EXPECT_EQ(GiveToSlab(first, batch.data(), batch.size()), 3u);

  EXPECT_EQ(first->free_blocks, first->capacity);
  EXPECT_EQ(second->free_blocks, second->capacity - 2u);
}

using SlabDeathTest = SlabTest;

TEST_F(SlabDeathTest, ABlockThatIsGivenTwiceIsReported) {
  Slab* const slab = Make(48);
  const std::vector<std::byte*> blocks = Take(slab, 100);
  Give(slab, blocks[70]);

  EXPECT_DEATH(Give(slab, blocks[70]), "double free of 0x[0-9a-f]+ .size class 48 B.");
}

TEST_F(SlabDeathTest, ABlockThatIsTwiceInABatchIsReported) {
  Slab* const slab = Make(48);
  const std::vector<std::byte*> blocks = Take(slab, 100);
  std::byte* const twice[] = {blocks[5], blocks[6], blocks[5]};

  EXPECT_DEATH(GiveToSlab(slab, twice, 3), "double free of 0x[0-9a-f]+ .size class 48 B.");
}

TEST_F(SlabDeathTest, ABlockThatWasNeverTakenIsReported) {
  Slab* const slab = Make(48);
  Take(slab, 10);

  EXPECT_DEATH(Give(slab, slab->base + 480), "double free of 0x");
}

TEST_F(SlabDeathTest, WhatLiesBehindTheLastBlockIsReported) {
  Slab* const slab = Make(48);
  TakeAll(slab);
  ASSERT_NE(kUnitBytes % 48, 0u);

  EXPECT_DEATH(Give(slab, slab->base + size_t{slab->capacity} * 48), "double free of 0x");
}

TEST_F(SlabTest, ABlockIsFreeInTheSlabUntilItIsTakenAndWhenItIsGivenBack) {
  Slab* const slab = Make(48);
  EXPECT_TRUE(IsFreeInSlab(slab, slab->base + 48));
  const std::vector<std::byte*> blocks = Take(slab, 2);

  EXPECT_FALSE(IsFreeInSlab(slab, blocks[1]));
  EXPECT_TRUE(IsFreeInSlab(slab, blocks[1] + 48));
  EXPECT_FALSE(IsFreeInSlab(slab, slab->base + size_t{slab->capacity} * 48));
  Give(slab, blocks[1]);
  EXPECT_TRUE(IsFreeInSlab(slab, blocks[1]));
}

TEST_F(SlabTest, BlocksOnPagesWithMemoryAreTakenFirst) {
  if (PagesPerSlab() < 4) GTEST_SKIP() << "a slab has too few pages";
  // The slab of an earlier life used the third page.
  const Run run = heap_->TakeSlabRun();
  const size_t page = (size_t{run.start} << kGranuleShift) / OsPageBytes() + 2;
  run.superblock->touched.Set(page);
  Slab* const slab = MakeSlab(run, ClassOf(512));
  const size_t per_page = OsPageBytes() / 512;

  const std::vector<std::byte*> blocks = Take(slab, per_page + 1);

  for (size_t i = 0; i < per_page; ++i) {
    EXPECT_EQ(blocks[i], slab->base + 2 * OsPageBytes() + i * 512);
  }
  EXPECT_EQ(blocks.back(), slab->base);
}

TEST_F(SlabTest, PagesBetweenTouchedOnesStayUntouched) {
  if (PagesPerSlab() < 8) GTEST_SKIP() << "a slab has too few pages";
  const Run run = heap_->TakeSlabRun();
  const size_t first = (size_t{run.start} << kGranuleShift) / OsPageBytes();
  run.superblock->touched.Set(first);
  run.superblock->touched.Set(first + 5);
  Slab* const slab = MakeSlab(run, ClassOf(1024));

  const std::vector<std::byte*> blocks = Take(slab, 2 * OsPageBytes() / 1024);

  EXPECT_EQ(PagesOf(slab, blocks), 1u << 0 | 1u << 5);
  EXPECT_EQ(slab->touched_pages, 1u << 0 | 1u << 5);
}

TEST_F(SlabTest, AFreshSlabHasNoIdlePages) {
  Slab* const slab = Make(64);

  EXPECT_EQ(IdlePages(slab), 0u);
}

TEST_F(SlabTest, APageIsIdleWhenItWasTouchedAndNoLiveBlockLiesOnIt) {
  for (const size_t bytes : {16u, 48u, 240u, 448u, 960u, 1024u}) {
    Slab* const slab = Make(bytes);
    const std::vector<std::byte*> blocks = TakeAll(slab);
    EXPECT_EQ(IdlePages(slab), 0u);
    GiveAll(slab, blocks);
    EXPECT_EQ(IdlePages(slab), slab->touched_pages);
    EXPECT_EQ(IdlePages(slab), PagesOf(slab, blocks));
  }
}

TEST_F(SlabTest, EachLiveBlockKeepsExactlyItsOwnPages) {
  for (const size_t bytes : {16u, 48u, 240u, 448u, 960u, 1024u}) {
    Slab* const slab = Make(bytes);
    const std::vector<std::byte*> blocks = TakeAll(slab);
    GiveAll(slab, blocks);
    const uint16_t all = IdlePages(slab);
    for (std::byte* const live : blocks) {
      // Taken by hand: the slab would choose another one.
      const auto index = static_cast<size_t>(live - slab->base) / bytes;
      const size_t unit = static_cast<size_t>(slab->base - slab->superblock->base) / kUnitBytes;
      uint64_t& word = slab->superblock->tables->SlabBits(unit, slab->capacity)[index / 64];
      word &= ~(uint64_t{1} << index % 64);

      ASSERT_EQ(IdlePages(slab), all & ~PagesOf(slab, live)) << index << " of " << bytes;

      Give(slab, live);
    }
  }
}

TEST_F(SlabTest, TakingABlockEndsTheAgeOfItsPage) {
  Slab* const slab = Make(64);
  GiveAll(slab, TakeAll(slab));
  slab->aged_pages = slab->touched_pages;

  Take(slab, 1);

  EXPECT_EQ(slab->aged_pages, slab->touched_pages & ~1u);
}

TEST_F(SlabTest, EveryAddressOfAUnitFindsItsSlab) {
  Slab* const first = Make(64);
  Slab* const second = Make(128);

  for (Slab* slab : {first, second}) {
    EXPECT_EQ(SlabAt(slab->superblock, slab->base), slab);
    EXPECT_EQ(SlabAt(slab->superblock, slab->base + kUnitBytes - 1), slab);
  }
}

TEST_F(SlabTest, AUnitThatIsNoSlabFindsNone) {
  const Run run = heap_->TakeRun(kUnitBytes / kGranuleBytes, 1, nullptr);
  Slab* const slab = Make(64);
  ASSERT_EQ(run.superblock, slab->superblock);

  EXPECT_EQ(SlabAt(run.superblock, run.address()), nullptr);
  UnmakeSlab(slab);
  EXPECT_EQ(SlabAt(slab->superblock, slab->base), nullptr);
}

TEST_F(SlabTest, AnUnmadeSlabTellsTheSuperblockWhichPagesHoldMemory) {
  Slab* const slab = Make(1024);
  const size_t first = static_cast<size_t>(slab->base - slab->superblock->base) / OsPageBytes();
  GiveAll(slab, Take(slab, OsPageBytes() / 1024 + 1));
  slab->touched_pages &= static_cast<uint16_t>(~1u);  // a sweep has returned the first page
  slab->superblock->touched.Set(first);

  const Run run = UnmakeSlab(slab);

  EXPECT_EQ(run.bytes(), kUnitBytes);
  EXPECT_EQ(run.address(), slab->base);
  EXPECT_FALSE(slab->superblock->touched.Test(first));
  EXPECT_EQ(slab->superblock->touched.CountRange(first, first + PagesPerSlab()), 1u);
}

TEST_F(SlabTest, AUnitCanBecomeASlabOfAnotherSize) {
  Slab* const slab = Make(16);
  TakeAll(slab);
  const Run run = UnmakeSlab(slab);

  Slab* const again = MakeSlab(run, ClassOf(1024));

  EXPECT_EQ(again->base, run.address());
  EXPECT_EQ(TakeAll(again).size(), kUnitBytes / 1024);
}

// Random takes and gives against a set of free blocks.
class SlabModelTest : public SlabTest, public testing::WithParamInterface<size_t> {};

TEST_P(SlabModelTest, BlocksComeFromPagesWithMemoryFirstAndInAddressOrder) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  Slab* const slab = Make(GetParam());
  std::set<std::byte*> free;
  for (size_t i = 0; i < slab->capacity; ++i) free.insert(slab->base + i * GetParam());
  std::vector<std::byte*> live;

  for (int step = 0; step < 400; ++step) {
    if (random() % 2 == 0) {
      const size_t want = random() % (slab->capacity / 8 + 2);
      const uint16_t touched = slab->touched_pages;
      std::vector<std::byte*> expected(free.begin(), free.end());
      std::stable_partition(expected.begin(), expected.end(), [&](const std::byte* block) {
        return (touched >> (static_cast<size_t>(block - slab->base) / OsPageBytes()) & 1) != 0;
      });
      expected.resize(std::min(want, expected.size()));

      const std::vector<std::byte*> taken = Take(slab, want);

      ASSERT_EQ(taken, expected) << "step " << step;
      for (std::byte* block : taken) free.erase(block);
      live.insert(live.end(), taken.begin(), taken.end());
    } else {
      std::shuffle(live.begin(), live.end(), random);
      const size_t kept = random() % (live.size() + 1);
      if (kept == live.size()) continue;
      GiveAll(slab, {live.begin() + static_cast<std::ptrdiff_t>(kept), live.end()});
      free.insert(live.begin() + static_cast<std::ptrdiff_t>(kept), live.end());
      live.resize(kept);
      // Now and then a sweep returns the idle pages.
      if (random() % 4 == 0) slab->touched_pages &= static_cast<uint16_t>(~IdlePages(slab));
    }
    ASSERT_EQ(slab->free_blocks, free.size());
    ASSERT_EQ(IdlePages(slab), slab->touched_pages & ~PagesOf(slab, live));
  }
}

INSTANTIATE_TEST_SUITE_P(BlockBytes, SlabModelTest,
                         testing::Values(16u, 32u, 48u, 112u, 256u, 640u, 960u, 1024u));

}  // namespace
}  // namespace cma
