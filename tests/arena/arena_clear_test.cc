// Arena::Clear(), and the arenas of heaps that the program makes among the others.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "support/arena_fixture.h"
#include "support/pattern.h"
#include "support/run_checks.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::IsZero;
using cma_test::KeyOfAddress;

class ArenaClearTest : public cma_test::ArenaFixture {
 protected:
  // Blocks of every kind, most of them live, with holes between.
  void Fill() {
    for (SizeClass c = 1; c < kSizeClasses; c += 7) {
      std::vector<std::byte*> blocks = Take(c, 40);
      blocks.resize(blocks.size() / 2);
      Give(blocks);
    }
    for (size_t i = 0; i < 20; ++i) ASSERT_NE(arena_.TakeRun(300 * kKiB, 64, nullptr), nullptr);
  }
};

TEST_F(ArenaClearTest, AllSuperblocksGoToTheCentralHeap) {
  Fill();
  const size_t mapped = central_.mapped_bytes();

  arena_.Clear();

  EXPECT_EQ(central_.mapped_bytes(), mapped);
  EXPECT_EQ(central_.free_superblocks() * kSuperblockBytes, mapped);
  const ArenaStats stats = Stats();
  EXPECT_EQ(stats.superblock_bytes, 0u);
  EXPECT_EQ(stats.slab_bytes, 0u);
  EXPECT_EQ(stats.small_lent_bytes, 0u);
  EXPECT_EQ(stats.run_lent_bytes, 0u);
  EXPECT_EQ(stats.free_run_bytes, 0u);
  EXPECT_EQ(stats.dirty_bytes, 0u);
}

TEST_F(ArenaClearTest, ItsBlocksAreInNoMap) {
  const std::vector<std::byte*> small = Take(ClassOf(64), 10);
  const std::vector<std::byte*> medium = Take(ClassOf(20'000), 2);

  arena_.Clear();

  EXPECT_EQ(map_.Unit(AddressOf(small[0])), 0u);
  EXPECT_EQ(SlabAt(SuperblockOf(small[0]), small[0]), nullptr);
  EXPECT_EQ(RunOf(medium[0]).length, 0u);
  EXPECT_EQ(arenas_.Owner(SuperblockOf(medium[0])), nullptr);
}

TEST_F(ArenaClearTest, ItCanBeUsedAgain) {
  for (int round = 0; round < 3; ++round) {
    Fill();
    ExpectStatsAddUp();
    arena_.Clear();
  }

  EXPECT_EQ(Take(ClassOf(64), 10).size(), 10u);
  ExpectStatsAddUp();
}

TEST_F(ArenaClearTest, ItsSuperblocksAreWholeForTheNextArena) {
  Fill();
  arena_.Clear();
  Arena* const next = arenas_.At(1);

  // Nothing but a tiled superblock holds four of these.
  for (int i = 0; i < 4; ++i) ASSERT_NE(next->TakeRun(kLargeMax, 64, nullptr), nullptr);

  LockGuard guard(next->lock());
  EXPECT_EQ(next->Stats().superblock_bytes, kSuperblockBytes);
}

TEST_F(ArenaClearTest, PagesThatMayHoldMemoryAreKnownAsSuch) {
  const std::vector<std::byte*> small = Take(ClassOf(1024), 64);
  const size_t page = static_cast<size_t>(small[0] - SuperblockOf(small[0])->base) / OsPageBytes();

  arena_.Clear();

  EXPECT_TRUE(SuperblockOf(small[0])->touched.Test(page));
}

// As soon as it is anybody's.
class ZeroedArenaClearTest : public ArenaClearTest {
 protected:
  ZeroedArenaClearTest() {
    g_options.zero_on_free = 1;
    for (const SizeClass c : {ClassOf(100), ClassOf(5000), ClassOf(20'000)}) {
      for (std::byte* block : Take(c, 20)) Write(block, ClassBytes(c));
    }
    for (int i = 0; i < 10; ++i) Write(arena_.TakeRun(700 * kKiB, 64, nullptr), 700 * kKiB);
  }

  void Write(std::byte* block, size_t bytes) {
    FillPattern(block, bytes, KeyOfAddress(block));
    blocks_.emplace_back(block, bytes);
  }

  void ExpectAllZero() const {
    for (const auto& [block, bytes] : blocks_) EXPECT_TRUE(IsZero(block, bytes)) << bytes;
  }

  std::vector<std::pair<std::byte*, size_t>> blocks_;
};

TEST_F(ZeroedArenaClearTest, NothingIsLeftOfWhatWasThere) {
  arena_.Clear();

  ExpectAllZero();
  EXPECT_GE(central_.returned_bytes(), 10 * 700 * kKiB);
}

TEST_F(ZeroedArenaClearTest, NorWhereMemoryReturnsLazily) {
  g_options.madv_free = 1;

  arena_.Clear();

  ExpectAllZero();
}

TEST_F(ZeroedArenaClearTest, NorWhereTheOsKeepsIt) {
  os_.RefuseEvery(FakeOs::kDecommit);

  arena_.Clear();

  ExpectAllZero();
  EXPECT_EQ(central_.returned_bytes(), 0u);
}

TEST_F(ArenaClearTest, AnEmptyArenaMayBeCleared) {
  arena_.Clear();

  EXPECT_EQ(Stats().superblock_bytes, 0u);
}

TEST_F(ArenaClearTest, ASweepInTheMiddleOfASuperblockGoesOnInAnotherArena) {
  std::vector<std::byte*> blocks = Take(ClassOf(20000), 200);
  for (size_t i = 0; i < blocks.size(); i += 2) Give({blocks[i]});
  Superblock* const superblock = SuperblockOf(blocks[0]);
  bool pending = false;
  ASSERT_TRUE(arena_.SweepStep(1, true, &pending));
  ASSERT_NE(superblock->unswept_units, 0u);

  arena_.Clear();
  Fill();

  EXPECT_GT(Sweep(2, true, &pending), 0);
  EXPECT_EQ(Stats().dirty_bytes, 0u);
  ExpectStatsAddUp();
}

TEST_F(ArenaClearTest, ArenasOfHeapsComeAfterThoseOfThreads) {
  EXPECT_EQ(arenas_.total(), 4u);

  Arena* const first = arenas_.ForUserHeap(0);
  Arena* const second = arenas_.ForUserHeap(1);

  EXPECT_EQ(arenas_.count(), 4u);
  EXPECT_EQ(arenas_.total(), 6u);
  EXPECT_EQ(arenas_.Nth(0), &arena_);
  EXPECT_EQ(arenas_.Nth(1), nullptr);
  EXPECT_EQ(arenas_.Nth(4), first);
  EXPECT_EQ(arenas_.Nth(5), second);
  EXPECT_TRUE(IsUserHeap(static_cast<uint16_t>(first->id())));
  EXPECT_FALSE(IsUserHeap(static_cast<uint16_t>(arena_.id())));
  EXPECT_FALSE(IsUserHeap(kNoArena));
  EXPECT_EQ(arenas_.ForUserHeap(0), first);
}

TEST_F(ArenaClearTest, NoThreadIsSentToTheArenaOfAHeap) {
  Arena* const heaps = arenas_.ForUserHeap(0);
  ASSERT_NE(heaps->TakeRun(kLargeMax, 64, nullptr), nullptr);  // it has free runs now
  bool asked = false;

  arenas_.FromAny(&arena_, [&](Arena& arena) {
    asked |= &arena == heaps;
    return false;
  });

  EXPECT_FALSE(asked);
}

TEST_F(ArenaClearTest, AUnitOfAHeapIsNoThreadsOwn) {
  constexpr uint32_t kMostForHit = UINT16_MAX;  // as Deallocate() asks
  for (size_t i : {size_t{0}, kMaxUserHeaps - 1}) {
    const auto heap = static_cast<ArenaId>(kMaxArenas + i);
    const uint32_t unit = AddressMap::OwnerTag(heap) | 64;
    EXPECT_EQ(AddressMap::Owner(unit), heap);
    EXPECT_EQ(AddressMap::SizeClassOf(unit), 64u);
    EXPECT_GT(unit ^ AddressMap::OwnerTag(ArenaId{0}), kMostForHit);
    EXPECT_GT(unit ^ AddressMap::OwnerTag(ArenaId{kMaxArenas - 1}), kMostForHit);
    EXPECT_GT(unit ^ AddressMap::kNoOwner, kMostForHit);
  }
}

}  // namespace
}  // namespace cma
