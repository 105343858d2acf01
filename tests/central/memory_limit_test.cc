#include "central/memory_limit.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "central/central_heap.h"
#include "central/huge_blocks.h"
#include "options/options.h"
#include "support/fake_os.h"
#include "support/scoped_options.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using For = MemoryLimit::For;

constexpr auto kSuperblock = For::kSuperblock;
constexpr auto kHuge = For::kHugeBlock;

class MemoryLimitTest : public testing::Test {
 protected:
  cma_test::ScopedOptions options_;
  MemoryLimit limit_;
};

TEST_F(MemoryLimitTest, WithoutAHardLimitEverythingIsCounted) {
  EXPECT_TRUE(limit_.Commit(kGiB, kHuge));
  EXPECT_TRUE(limit_.Commit(kSuperblockBytes, kSuperblock));
  limit_.CommitTable(kKiB);
  EXPECT_EQ(limit_.committed(), kGiB + kSuperblockBytes + kKiB);

  limit_.Uncommit(kGiB);

  EXPECT_EQ(limit_.committed(), kSuperblockBytes + kKiB);
}

TEST_F(MemoryLimitTest, TheReserveIsKeptBackUntilACallerWasRefused) {
  g_options.hard_limit = 64 * kMiB;
  ASSERT_TRUE(limit_.Commit(56 * kMiB, kHuge));
  EXPECT_FALSE(limit_.Commit(8 * kMiB, kHuge)) << "the last 4 MiB are the reserve";
  ASSERT_TRUE(limit_.Commit(2 * kMiB, kHuge));
  EXPECT_FALSE(limit_.Commit(kSuperblockBytes, kSuperblock));
  EXPECT_FALSE(limit_.Commit(kSuperblockBytes, kSuperblock)) << "nobody was told yet";

  limit_.NoteRefusal();

  EXPECT_FALSE(limit_.Commit(kSuperblockBytes, kHuge)) << "not for huge blocks";
  EXPECT_TRUE(limit_.Commit(kSuperblockBytes, kSuperblock));
  EXPECT_FALSE(limit_.Commit(kSuperblockBytes, kSuperblock)) << "that was all";
  EXPECT_LE(limit_.committed(), 64 * kMiB);
}

TEST_F(MemoryLimitTest, TheReserveIsASixtyFourthOfALargeLimit) {
  g_options.hard_limit = 64 * kGiB;
  ASSERT_TRUE(limit_.Commit(63 * kGiB, kHuge));

  EXPECT_FALSE(limit_.Commit(1, kHuge));
}

TEST_F(MemoryLimitTest, TheReserveIsClosedAgainOnceThereIsRoom) {
  g_options.hard_limit = 64 * kMiB;
  ASSERT_TRUE(limit_.Commit(58 * kMiB, kHuge));
  ASSERT_FALSE(limit_.Commit(4 * kMiB, kHuge));
  limit_.NoteRefusal();
  limit_.Uncommit(2 * kMiB);
  ASSERT_TRUE(limit_.Commit(2 * kMiB, kHuge));

  EXPECT_FALSE(limit_.Commit(kSuperblockBytes, kSuperblock));
}

TEST_F(MemoryLimitTest, ARefusalThatWasNotTheLimitsLeavesTheReserveClosed) {
  g_options.hard_limit = 64 * kMiB;
  ASSERT_TRUE(limit_.Commit(58 * kMiB, kHuge));

  limit_.NoteRefusal();

  EXPECT_FALSE(limit_.Commit(kSuperblockBytes, kSuperblock));
}

TEST_F(MemoryLimitTest, TablesAreNeverRefused) {
  g_options.hard_limit = 16 * kMiB;
  limit_.CommitTable(20 * kMiB);

  EXPECT_EQ(limit_.committed(), 20 * kMiB);
  EXPECT_FALSE(limit_.Commit(1, kHuge));
}

TEST_F(MemoryLimitTest, ThreadsTogetherNeverPassTheLimit) {
  g_options.hard_limit = 64 * kMiB;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 2000; ++i) {
        const bool committed = limit_.Commit(20 * kMiB, kHuge);
        EXPECT_LE(limit_.committed(), 64 * kMiB);
        if (committed) limit_.Uncommit(20 * kMiB);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limit_.committed(), 0u);
}

TEST_F(MemoryLimitTest, APurgeIsDueWhenTheSoftLimitIsPassedAndAfterMoreGrowth) {
  g_options.soft_limit = 64 * kMiB;
  ASSERT_TRUE(limit_.Commit(64 * kMiB, kHuge));
  EXPECT_FALSE(limit_.purge_due());
  EXPECT_FALSE(limit_.IsOverSoftLimit());

  ASSERT_TRUE(limit_.Commit(kMiB, kHuge));
  EXPECT_TRUE(limit_.purge_due());
  EXPECT_TRUE(limit_.IsOverSoftLimit());

  limit_.PurgeDone();
  ASSERT_TRUE(limit_.Commit(3 * kMiB, kHuge));
  EXPECT_FALSE(limit_.purge_due()) << "3 MiB since the last one";
  ASSERT_TRUE(limit_.Commit(kMiB, kHuge));
  EXPECT_TRUE(limit_.purge_due()) << "4 MiB since the last one";
}

TEST_F(MemoryLimitTest, APurgeIsDueEachTimeTheSoftLimitIsPassedFromBelow) {
  g_options.soft_limit = 64 * kMiB;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(limit_.Commit(65 * kMiB, kHuge));
    EXPECT_TRUE(limit_.purge_due());
    limit_.PurgeDone();
    limit_.Uncommit(65 * kMiB);
  }
}

TEST_F(MemoryLimitTest, ALimitThatIsSetBelowWhatIsCommittedMakesAPurgeDue) {
  ASSERT_TRUE(limit_.Commit(65 * kMiB, kHuge));
  EXPECT_FALSE(limit_.purge_due());
  g_options.soft_limit = 64 * kMiB;

  limit_.NoteOptions();

  EXPECT_TRUE(limit_.purge_due());
}

// The layers that count.
class CommittedTest : public MemoryLimitTest {
 protected:
  CommittedTest() { map_.Initialize(os_.ops()); }

  void ExpectSum(size_t clean_superblocks) {
    EXPECT_EQ(limit_.committed(), central_.mapped_bytes() - clean_superblocks * kSuperblockBytes +
                                      huge_.live_bytes() + huge_.cached_bytes() +
                                      metadata_.mapped_bytes());
  }

  FakeOs os_;
  AddressMap map_;
  Metadata metadata_{os_.ops(), &limit_};
  CentralHeap central_{os_.ops(), metadata_, map_, &limit_};
  HugeBlocks huge_{os_.ops(), metadata_, limit_};
};

TEST_F(CommittedTest, SuperblocksCountUntilTheirMemoryGoesBack) {
  Superblock* const a = central_.TakeSuperblock();
  Superblock* const b = central_.TakeSuperblock();
  ASSERT_NE(b, nullptr);
  ExpectSum(0);
  central_.GiveSuperblock(a, os_.now());
  ExpectSum(0);
  ASSERT_EQ(central_.Release(os_.now(), 0, 1), 1u);
  ExpectSum(1);
  ASSERT_EQ(central_.TakeSuperblock(), a);
  ExpectSum(0);
  central_.GiveSuperblock(a, os_.now());
  central_.GiveSuperblock(b, os_.now());
  ASSERT_EQ(central_.Release(os_.now(), 0, 1), 1u);
  ASSERT_EQ(central_.Unmap(), 2u);
  ExpectSum(0);
  EXPECT_EQ(central_.mapped_bytes(), 0u);
}

TEST_F(CommittedTest, HugeBlocksCountLiveCachedResizedAndSplit) {
  std::byte* block = huge_.Take(16 * kMiB, 1, HugeBlocks::Contents::kAny);
  ASSERT_NE(block, nullptr);
  ExpectSum(0);
  block = huge_.Resize(block, 24 * kMiB);
  ASSERT_NE(block, nullptr);
  ExpectSum(0);
  block = huge_.Resize(block, 5 * kMiB);
  ExpectSum(0);
  ASSERT_TRUE(huge_.Give(block));
  ExpectSum(0);
  block = huge_.Take(2 * kMiB, 1, HugeBlocks::Contents::kAny);
  ExpectSum(0);
  huge_.Release(os_.now(), 0, ~size_t{0});
  ExpectSum(0);
  ASSERT_TRUE(huge_.Give(block));
  huge_.Release(os_.now(), 0, ~size_t{0});
  ExpectSum(0);
  EXPECT_EQ(limit_.committed(), metadata_.mapped_bytes());
}

TEST_F(CommittedTest, HugeBlocksThatGaveTheirMemoryBackCountWhenTheyAreTakenAgain) {
  g_options.huge_cache_mib = 2;
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  ASSERT_TRUE(huge_.Give(block));
  ASSERT_EQ(huge_.empty_bytes(), 6 * kMiB);
  ExpectSum(0);

  ASSERT_EQ(huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny), block);
  ExpectSum(0);

  ASSERT_TRUE(huge_.Give(block));
  ASSERT_EQ(huge_.empty_bytes(), 6 * kMiB);
  g_options.hard_limit = 9 * kMiB;
  EXPECT_EQ(huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny), nullptr);
  EXPECT_NE(huge_.Take(4 * kMiB, 1, HugeBlocks::Contents::kAny), nullptr);
  ExpectSum(0);
}

TEST_F(CommittedTest, WithoutMemoryForDescriptorsTheSumHolds) {
  g_options.huge_cache_mib = 0;
  ASSERT_TRUE(huge_.Give(huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny)));
  ASSERT_EQ(huge_.empty_bytes(), 8 * kMiB);
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(64) != nullptr) {
  }

  EXPECT_EQ(huge_.Take(2 * kMiB, 1, HugeBlocks::Contents::kAny), nullptr);
  ExpectSum(0);
}

TEST_F(CommittedTest, WithoutMemoryForDescriptorsWhatFitsIsTakenWhole) {
  g_options.huge_cache_mib = 0;
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  ASSERT_TRUE(huge_.Give(block));
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(64) != nullptr) {
  }

  EXPECT_EQ(huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny), block);
  ExpectSum(0);
  g_options.huge_cache_mib = 8;
  ASSERT_TRUE(huge_.Give(block));
  EXPECT_EQ(huge_.cached_bytes(), 8 * kMiB) << "it may hold memory now";
  ExpectSum(0);
}

TEST_F(CommittedTest, HugeBlocksResizedInPlaceCount) {
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  constexpr size_t kShorter = 8 * kMiB - 512 * kKiB;
  ASSERT_EQ(huge_.ResizeInPlace(block, kShorter), kShorter);
  ExpectSum(0);
  ASSERT_EQ(huge_.ResizeInPlace(block, 8 * kMiB), 8 * kMiB) << "the addresses are free";
  ExpectSum(0);

  os_.RefuseEvery(FakeOs::kResize);
  EXPECT_EQ(huge_.ResizeInPlace(block, 9 * kMiB), 8 * kMiB);
  ExpectSum(0);
}

TEST_F(CommittedTest, NoHugeBlockGrowsInPlaceBeyondTheHardLimit) {
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  g_options.hard_limit = 16 * kMiB;

  EXPECT_EQ(huge_.ResizeInPlace(block, 18 * kMiB), 8 * kMiB);
  ExpectSum(0);
}

TEST_F(CommittedTest, WhatTheOsRefusesIsNotCounted) {
  ASSERT_NE(central_.TakeSuperblock(), nullptr);  // the first tables
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  os_.RefuseEvery(FakeOs::kMap);
  EXPECT_EQ(central_.TakeSuperblock(), nullptr);
  EXPECT_EQ(huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny), nullptr);
  os_.RefuseEvery(FakeOs::kResize);
  os_.RefuseEvery(FakeOs::kMove);
  EXPECT_EQ(huge_.Resize(block, 9 * kMiB), nullptr);
  ExpectSum(0);
}

TEST_F(CommittedTest, BeyondTheHardLimitThereAreNoSuperblocksAndNoHugeBlocks) {
  ASSERT_NE(central_.TakeSuperblock(), nullptr);
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  g_options.hard_limit = 16 * kMiB;

  EXPECT_EQ(central_.TakeSuperblock(), nullptr);
  EXPECT_EQ(huge_.Take(2 * kMiB, 1, HugeBlocks::Contents::kAny), nullptr);
  EXPECT_EQ(huge_.Resize(block, 12 * kMiB), nullptr);
  EXPECT_EQ(huge_.BytesOf(block), 8 * kMiB) << "as before";
  ExpectSum(0);
}

TEST_F(CommittedTest, WhatIsCachedMakesRoomUnderTheHardLimit) {
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  ASSERT_TRUE(huge_.Give(block));
  g_options.hard_limit = 16 * kMiB;

  EXPECT_NE(huge_.Take(10 * kMiB, 1, HugeBlocks::Contents::kZero), nullptr);

  EXPECT_EQ(huge_.cached_bytes(), 0u);
  ExpectSum(0);
}

TEST_F(CommittedTest, ACleanSuperblockIsRefusedLikeANewOne) {
  Superblock* const superblock = central_.TakeSuperblock();
  central_.GiveSuperblock(superblock, os_.now());
  ASSERT_EQ(central_.Release(os_.now(), 0, 1), 1u);
  std::byte* const block = huge_.Take(10 * kMiB, 1, HugeBlocks::Contents::kAny);
  g_options.hard_limit = 16 * kMiB;

  EXPECT_EQ(central_.TakeSuperblock(), nullptr);
  ExpectSum(1);

  ASSERT_TRUE(huge_.Give(block));
  huge_.Release(os_.now(), 0, 1);
  EXPECT_EQ(central_.TakeSuperblock(), superblock);
}

TEST_F(CommittedTest, OverTheSoftLimitFreedHugeBlocksAreNotCached) {
  std::byte* const block = huge_.Take(8 * kMiB, 1, HugeBlocks::Contents::kAny);
  g_options.soft_limit = 4 * kMiB;

  ASSERT_TRUE(huge_.Give(block));

  EXPECT_EQ(huge_.cached_bytes(), 0u);
}

}  // namespace
}  // namespace cma
