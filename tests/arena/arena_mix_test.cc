// Which slabs let other sizes in, and when.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "arena/arena.h"
#include "support/arena_fixture.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::kIntact;
using cma_test::KeyOfAddress;

class ArenaMixTest : public cma_test::ArenaFixture {
 protected:
  static constexpr size_t kBytes = 64;

  std::vector<std::byte*> TakeAll(SizeClass c, size_t count) {
    std::vector<std::byte*> blocks;
    while (blocks.size() < count) {
      const std::vector<std::byte*> more = Take(c, std::min<size_t>(count - blocks.size(), 100));
      blocks.insert(blocks.end(), more.begin(), more.end());
    }
    return blocks;
  }

  // Fills so many superblocks with blocks of kBytes and gives all but one block in so many back;
  // those that stay.
  std::vector<std::byte*> Survivors(size_t superblocks, size_t keep_one_in) {
    return Thin(TakeAll(ClassOf(kBytes), superblocks * kSuperblockBytes / kBytes), keep_one_in);
  }

  bool IsMixed(const std::byte* block) { return SlabAt(SuperblockOf(block), block)->is_mixed; }
};

TEST_F(ArenaMixTest, HolesServeAnotherSizeBeforeTheArenaGrows) {
  const std::vector<std::byte*> kept = Survivors(4, 16);
  const size_t before = Stats().superblock_bytes;

  // Into the 960 bytes between two survivors, until half of the arena is in use.
  const std::vector<std::byte*> blocks =
      TakeAll(ClassOf(896), 4 * kSuperblockBytes * 3 / 8 / 896);

  EXPECT_EQ(Stats().superblock_bytes, before);
  EXPECT_TRUE(IsMixed(blocks.back()));
  for (std::byte* block : kept) FillPattern(block, kBytes, KeyOfAddress(block));
  for (std::byte* block : blocks) FillPattern(block, 896, KeyOfAddress(block));
  for (std::byte* block : kept) {
    ASSERT_EQ(FindDamage(block, kBytes, KeyOfAddress(block)), kIntact);
  }
  for (std::byte* block : blocks) {
    ASSERT_EQ(FindDamage(block, 896, KeyOfAddress(block)), kIntact);
  }
  EXPECT_EQ(Stats().small_lent_bytes, kept.size() * kBytes + blocks.size() * 896);
  ExpectStatsAddUp();
}

TEST_F(ArenaMixTest, WhoWantsFreeRunsOnlyGetsNoNewHoles) {
  const std::vector<std::byte*> kept = Survivors(4, 16);
  const auto take = [this](Growth growth) {
    std::byte* block;
    LockGuard guard(arena_.lock());
    return arena_.TakeBlocks(ClassOf(896), &block, 1, growth) != 0;
  };
  while (take(Growth::kByFreeRuns)) {
  }
  EXPECT_FALSE(arena_.HasMixed());

  EXPECT_TRUE(take(Growth::kBySlabs));

  EXPECT_TRUE(arena_.HasMixed());
  EXPECT_TRUE(take(Growth::kByFreeRuns));
}

TEST_F(ArenaMixTest, BlocksThatWouldNotFitMixNothing) {
  const std::vector<std::byte*> kept = Survivors(4, 16);

  TakeAll(ClassOf(1024), 2 * kSuperblockBytes / 1024);

  for (const std::byte* block : kept) ASSERT_FALSE(IsMixed(block));
}

TEST_F(ArenaMixTest, AnArenaInGoodUseMixesNothing) {
  const std::vector<std::byte*> kept = Survivors(4, 16);
  const std::vector<std::byte*> live = TakeAll(ClassOf(2048), 10 * kSuperblockBytes / 2048);

  const std::vector<std::byte*> blocks = TakeAll(ClassOf(896), kSuperblockBytes / 1024);

  for (const std::byte* block : kept) ASSERT_FALSE(IsMixed(block));
}

TEST_F(ArenaMixTest, AllComesBack) {
  const std::vector<std::byte*> kept = Survivors(4, 16);
  const std::vector<std::byte*> blocks = TakeAll(ClassOf(896), kSuperblockBytes / 1024);
  ASSERT_TRUE(IsMixed(blocks.back()));

  Give(blocks);
  Give(kept);
  bool pending = false;
  Sweep(1, true, &pending);

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
  EXPECT_FALSE(arena_.HasMixed());
  EXPECT_EQ(Stats().slab_bytes, 0u);
  EXPECT_LE(Stats().superblock_bytes, kSuperblockBytes);
  ExpectStatsAddUp();
}

TEST_F(ArenaMixTest, WhereAllGoesAtOnceNoneIsMixed) {
  Survivors(4, 16);
  TakeAll(ClassOf(896), kSuperblockBytes / 1024);
  ASSERT_TRUE(arena_.HasMixed());

  arena_.Clear();

  EXPECT_FALSE(arena_.HasMixed());
}

TEST_F(ArenaMixTest, StatisticsTellTheClassOfEveryBlock) {
  const std::vector<std::byte*> kept = Survivors(4, 16);
  const std::vector<std::byte*> blocks = TakeAll(ClassOf(896), 1000);
  ASSERT_TRUE(IsMixed(blocks.back()));

  std::vector<ArenaClassStats> classes(kSizeClasses);
  {
    LockGuard guard(arena_.lock());
    arena_.Stats(classes.data());
  }

  EXPECT_EQ(classes[ClassOf(kBytes)].lent, kept.size());
  EXPECT_EQ(classes[ClassOf(896)].lent, blocks.size());
  for (const SizeClass c : {ClassOf(kBytes), ClassOf(896)}) {
    const ArenaClassStats& of_class = classes[c];
    EXPECT_GT(of_class.in_mixed, 0u);
    EXPECT_EQ(of_class.lent + of_class.free,
              of_class.slabs * (kUnitBytes / ClassBytes(c)) + of_class.in_mixed);
  }
}

}  // namespace
}  // namespace cma
