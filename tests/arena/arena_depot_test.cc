// Batches of blocks that wait in an arena for the next taker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "arena/arena.h"
#include "options/options.h"
#include "support/arena_fixture.h"
#include "support/scoped_options.h"

namespace cma {
namespace {

using cma_test::FakeOs;

class ArenaDepotTest : public cma_test::ArenaFixture {
 protected:
  void GiveBatch(SizeClass c, const std::vector<std::byte*>& blocks) {
    LockGuard guard(arena_.lock());
    arena_.GiveBatch(c, blocks.data(), blocks.size());
  }

  // Whether the block of a medium class is a free run again.
  bool IsHome(const std::byte* block) const { return RunOf(block).length == 0; }

  size_t CountHome(const std::vector<std::byte*>& blocks) const {
    return static_cast<size_t>(
        std::count_if(blocks.begin(), blocks.end(), [this](std::byte* b) { return IsHome(b); }));
  }

  // Exactly so many, from as many slabs as it takes.
  std::vector<std::byte*> TakeExactly(SizeClass c, size_t count) {
    std::vector<std::byte*> blocks;
    while (blocks.size() < count) {
      const std::vector<std::byte*> some = Take(c, count - blocks.size());
      blocks.insert(blocks.end(), some.begin(), some.end());
    }
    return blocks;
  }
};

TEST_F(ArenaDepotTest, ABatchIsTakenAgainAsItWasGiven) {
  for (const SizeClass c : {ClassOf(64), ClassOf(4096)}) {
    const std::vector<std::byte*> blocks = Take(c, 20);

    GiveBatch(c, blocks);

    EXPECT_EQ(Take(c, 20), blocks);
  }
}

TEST_F(ArenaDepotTest, TheArenaHoldsABlockInItsSlabOrInItsDepot) {
  const SizeClass c = ClassOf(64);
  const auto Holds = [&](const std::byte* block) {
    LockGuard guard(arena_.lock());
    return arena_.HoldsFree(c, block);
  };
  const std::vector<std::byte*> blocks = Take(c, 3);
  EXPECT_FALSE(Holds(blocks[0]));

  GiveBatch(c, {blocks[0]});
  Give({blocks[1]});

  EXPECT_TRUE(Holds(blocks[0]));
  EXPECT_TRUE(Holds(blocks[1]));
  EXPECT_FALSE(Holds(blocks[2]));
}

TEST_F(ArenaDepotTest, WaitingBlocksCountAsFree) {
  const SizeClass medium = ClassOf(17'000);
  const std::vector<std::byte*> kept = Take(medium, 3);

  GiveBatch(ClassOf(64), Take(ClassOf(64), 20));
  GiveBatch(medium, Take(medium, 10));

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
  EXPECT_EQ(Stats().run_lent_bytes, 3 * ClassBytes(medium));
  ExpectStatsAddUp();
  Take(ClassOf(64), 5);
  EXPECT_EQ(Stats().small_lent_bytes, 5 * 64u);
  ExpectStatsAddUp();
}

TEST_F(ArenaDepotTest, ABatchNeverGoesToAnotherClass) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 20);
  GiveBatch(ClassOf(64), blocks);

  for (std::byte* block : Take(ClassOf(80), 20)) {
    EXPECT_THAT(blocks, testing::Not(testing::Contains(block)));
  }
}

TEST_F(ArenaDepotTest, WhatNobodyTakesGoesHomeAtTheSecondRound) {
  const SizeClass c = ClassOf(17'000);
  const std::vector<std::byte*> blocks = Take(c, 10);
  GiveBatch(c, blocks);

  Sweep(1);
  EXPECT_EQ(CountHome(blocks), 0u);
  Sweep(2);

  EXPECT_EQ(CountHome(blocks), 10u);
}

TEST_F(ArenaDepotTest, WhatIsTakenInEveryRoundStays) {
  const SizeClass c = ClassOf(17'000);
  const std::vector<std::byte*> blocks = Take(c, 10);
  GiveBatch(c, blocks);
  for (uint32_t round = 1; round < 6; ++round) {
    Sweep(round);
    // Six of them are in use, the other four were never asked for.
    EXPECT_EQ(CountHome(blocks), round == 1 ? 0u : 4u);
    GiveBatch(c, Take(c, 6));
  }
}

TEST_F(ArenaDepotTest, WhatWasLeftAloneWhileOthersCameAndWentGoesHomeAtOnce) {
  const SizeClass c = ClassOf(17'000);
  const SizeClass other = ClassOf(25'000);
  const std::vector<std::byte*> blocks = Take(c, 10);
  GiveBatch(c, blocks);
  const std::vector<std::byte*> others = Take(other, 10);
  GiveBatch(other, others);
  for (int i = 0; i < 20; ++i) GiveBatch(other, Take(other, 10));

  arena_.GiveIdleDepots();

  EXPECT_EQ(CountHome(blocks), 10u);
  EXPECT_EQ(CountHome(others), 0u);
}

TEST_F(ArenaDepotTest, AtOnceSendsAllHome) {
  const SizeClass c = ClassOf(17'000);
  const std::vector<std::byte*> blocks = Take(c, 10);
  GiveBatch(c, blocks);
  bool pending = false;

  Sweep(1, true, &pending);

  EXPECT_EQ(CountHome(blocks), 10u);
}

TEST_F(ArenaDepotTest, AFullDepotSendsItsOldestHome) {
  const SizeClass c = ClassOf(16);
  const std::vector<std::byte*> blocks = TakeExactly(c, 2 * DepotCapacity(c));
  for (size_t i = 0; i < blocks.size(); i += 64) {
    GiveBatch(c, {blocks.begin() + static_cast<std::ptrdiff_t>(i),
                  blocks.begin() + static_cast<std::ptrdiff_t>(i + 64)});
  }

  std::vector<ArenaClassStats> classes(kSizeClasses);
  {
    LockGuard guard(arena_.lock());
    arena_.Stats(classes.data());
  }
  const size_t waiting = classes[c].depot;
  EXPECT_EQ(classes[c].lent, 0u);
  EXPECT_LE(waiting, DepotCapacity(c));
  EXPECT_GE(waiting, DepotCapacity(c) / 2);
  EXPECT_EQ(Take(c, 64), (std::vector<std::byte*>(blocks.end() - 64, blocks.end())));
}

TEST_F(ArenaDepotTest, AllDepotsTogetherAreBounded) {
  size_t waiting = 0;
  for (SizeClass c = kSmallClasses; c < kSizeClasses; ++c) {
    const std::vector<std::byte*> blocks = TakeExactly(c, 10);
    GiveBatch(c, blocks);
    waiting += (blocks.size() - CountHome(blocks)) * ClassBytes(c);
  }

  EXPECT_GT(waiting, 0u);
  EXPECT_LE(waiting, 1024 * kKiB + Stats().superblock_bytes / 16);
  ExpectStatsAddUp();
}

TEST_F(ArenaDepotTest, TheOptionSaysWhatASmallArenaMayKeep) {
  const cma_test::ScopedOptions options;
  for (const size_t kib : {0, 1024}) {
    g_options.depot_kib = kib;
    size_t waiting = 0;
    for (SizeClass c = kSmallClasses; c < kSmallClasses + 16; ++c) {
      const std::vector<std::byte*> blocks = TakeExactly(c, 4);
      GiveBatch(c, blocks);
      waiting += (blocks.size() - CountHome(blocks)) * ClassBytes(c);
    }
    const size_t most = kib * kKiB + Stats().superblock_bytes / 32;
    EXPECT_LE(waiting, most);
    EXPECT_GE(waiting, std::min<size_t>(most, kMiB) / 2);
  }
}

TEST_F(ArenaDepotTest, ABatchTooLargeForADepotGoesHome) {
  const SizeClass c = ClassOf(16);
  const std::vector<std::byte*> blocks = TakeExactly(c, DepotCapacity(c) + 1);
  const Slab* const slab = SlabAt(SuperblockOf(blocks[0]), blocks[0]);

  GiveBatch(c, blocks);

  EXPECT_EQ(slab->free_blocks, slab->capacity);
}

TEST_F(ArenaDepotTest, WithoutMemoryForADepotABatchGoesHome) {
  const SizeClass c = ClassOf(17'000);
  const std::vector<std::byte*> blocks = Take(c, 10);
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(DepotCapacity(c) * sizeof(std::byte*)) != nullptr) {
  }

  GiveBatch(c, blocks);

  EXPECT_EQ(CountHome(blocks), 10u);
}

}  // namespace
}  // namespace cma
