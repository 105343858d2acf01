// What an arena gives back when it grows.
#include <gtest/gtest.h>

#include <vector>

#include "arena/arena.h"
#include "support/arena_fixture.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::kIntact;
using cma_test::KeyOfAddress;

class ArenaPackTest : public cma_test::ArenaFixture {
 protected:
  static constexpr size_t kBytes = 3584;
  // So many blocks are between two survivors, and not enough for one of the size that grows.
  static constexpr size_t kKeepOneIn = 6;

  // Blocks of kBytes that fill so many superblocks.
  std::vector<std::byte*> FillSuperblocks(size_t count) {
    std::vector<std::byte*> blocks;
    constexpr size_t kPerSlab = kUnitBytes / kBytes;
    while (blocks.size() < count * kUnitsPerSuperblock * kPerSlab) {
      const std::vector<std::byte*> more = Take(ClassOf(kBytes), kPerSlab);
      blocks.insert(blocks.end(), more.begin(), more.end());
    }
    return blocks;
  }

  // Takes blocks of another size until the arena has one superblock more.
  void Grow() {
    const size_t before = Stats().superblock_bytes;
    while (Stats().superblock_bytes == before) {
      ASSERT_FALSE(Take(ClassOf(kSmallMax), 10).empty());
    }
  }
};

TEST_F(ArenaPackTest, IdlePagesOfSparseSlabsPayForASuperblock) {
  if (PagesPerSlab() != 16) GTEST_SKIP() << "made for pages of 4 KiB";
  const std::vector<std::byte*> kept = Thin(FillSuperblocks(4), kKeepOneIn);
  for (std::byte* block : kept) FillPattern(block, kBytes, KeyOfAddress(block));
  ASSERT_EQ(os_.calls(FakeOs::kDecommit), 0u);
  const size_t dirty = Stats().dirty_bytes;

  Grow();

  EXPECT_GT(os_.bytes(FakeOs::kDecommit), kSuperblockBytes / 8);
  EXPECT_LE(os_.calls(FakeOs::kDecommit), 64 + kUnitsPerSuperblock * 3);  // a superblock too many
  EXPECT_EQ(Stats().dirty_bytes, dirty - os_.bytes(FakeOs::kDecommit));
  for (std::byte* block : kept) {
    ASSERT_EQ(FindDamage(block, kBytes, KeyOfAddress(block)), kIntact);
  }
}

TEST_F(ArenaPackTest, TheSuperblocksTakeTurns) {
  if (PagesPerSlab() != 16) GTEST_SKIP() << "made for pages of 4 KiB";
  Thin(FillSuperblocks(8), kKeepOneIn);
  size_t returned = 0;

  for (int i = 0; i < 4; ++i) {
    Grow();

    EXPECT_GT(os_.bytes(FakeOs::kDecommit), returned);
    returned = os_.bytes(FakeOs::kDecommit);
  }
}

TEST_F(ArenaPackTest, ADenseHeapGrowsWithoutACall) {
  Thin(FillSuperblocks(4), 2);

  Grow();

  EXPECT_EQ(os_.calls(FakeOs::kDecommit), 0u);
}

TEST_F(ArenaPackTest, ARefusalOfTheOsLosesNothing) {
  const std::vector<std::byte*> kept = Thin(FillSuperblocks(4), kKeepOneIn);
  os_.RefuseEvery(FakeOs::kDecommit);
  const size_t lent = Stats().small_lent_bytes;

  Grow();

  EXPECT_EQ(lent, kept.size() * kBytes);
  ExpectStatsAddUp();
}

}  // namespace
}  // namespace cma
