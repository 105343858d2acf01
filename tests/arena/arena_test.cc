#include "arena/arena.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "slabs/mixed_slab.h"
#include "support/arena_fixture.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::KeyOfAddress;
using cma_test::kIntact;

using ArenaTest = cma_test::ArenaFixture;

TEST_F(ArenaTest, BlocksOfEveryClassAreWritableAlignedAndApart) {
  std::vector<std::byte*> blocks;
  std::vector<size_t> sizes;
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    for (std::byte* block : Take(c, 3)) {
      blocks.push_back(block);
      sizes.push_back(ClassBytes(c));
      ASSERT_EQ(AddressOf(block) % kMinAlignment, 0u);
      FillPattern(block, ClassBytes(c), KeyOfAddress(block));
    }
  }

  ASSERT_EQ(blocks.size(), 3 * (kSizeClasses - 1));
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(FindDamage(blocks[i], sizes[i], KeyOfAddress(blocks[i])), kIntact);
  }
  ExpectStatsAddUp();
}

TEST_F(ArenaTest, ASlabsUnitNamesItsOwnerAndBlockSize) {
  Arena& second = *arenas_.At(2);
  std::byte* block = nullptr;
  {
    LockGuard guard(second.lock());
    ASSERT_EQ(second.TakeBlocks(ClassOf(48), &block, 1), 1u);
  }

  const uint32_t unit = map_.Unit(AddressOf(block));

  EXPECT_EQ(AddressMap::Owner(unit), ArenaId{2});
  EXPECT_EQ(AddressMap::SizeClassOf(unit), ClassOf(48));
  EXPECT_EQ(arenas_.Owner(map_.FindSuperblock(AddressOf(block))), &second);
}

TEST_F(ArenaTest, AMediumBlocksUnitIsEmpty) {
  const std::vector<std::byte*> blocks = Take(ClassOf(17'000), 1);

  EXPECT_EQ(map_.Unit(AddressOf(blocks[0])), 0u);
}

TEST_F(ArenaTest, ABatchOpensOneSlabAtMost) {
  const SizeClass c = ClassOf(1024);

  EXPECT_EQ(Take(c, 1000).size(), kUnitBytes / 1024);

  EXPECT_EQ(Stats().slab_bytes, kUnitBytes);
}

TEST_F(ArenaTest, ABatchGoesOnInTheNextSlabThatHasFreeBlocks) {
  const SizeClass c = ClassOf(1024);
  const std::vector<std::byte*> first = Take(c, 64);
  const std::vector<std::byte*> second = Take(c, 64);
  Give({first.begin(), first.begin() + 3});
  Give({second.begin(), second.begin() + 4});

  EXPECT_EQ(Take(c, 100).size(), 7u);

  EXPECT_EQ(Stats().slab_bytes, 2 * kUnitBytes);
}

TEST_F(ArenaTest, TheFullestSlabIsUsedFirst) {
  const SizeClass c = ClassOf(1024);
  const std::vector<std::byte*> dense = Take(c, 64);
  const std::vector<std::byte*> sparse = Take(c, 64);
  Give({dense.begin(), dense.begin() + 2});
  Give({sparse.begin(), sparse.begin() + 60});

  EXPECT_THAT(Take(c, 2), testing::UnorderedElementsAre(dense[0], dense[1]));
}

TEST_F(ArenaTest, AnEmptySlabGoesIfItsClassHasAnother) {
  const SizeClass c = ClassOf(1024);
  const std::vector<std::byte*> first = Take(c, 64);
  const std::vector<std::byte*> second = Take(c, 64);
  Give({second.begin(), second.begin() + 1});

  Give(first);

  EXPECT_EQ(Stats().slab_bytes, kUnitBytes);
  EXPECT_EQ(map_.Unit(AddressOf(first[0])), 0u);
  EXPECT_NE(map_.Unit(AddressOf(second[0])), 0u);
}

TEST_F(ArenaTest, TheLastSlabOfAClassStays) {
  const std::vector<std::byte*> blocks = Take(ClassOf(1024), 64);

  Give(blocks);

  EXPECT_EQ(Stats().slab_bytes, kUnitBytes);
  EXPECT_EQ(Take(ClassOf(1024), 64), blocks);
}

TEST_F(ArenaTest, BlocksOfManyClassesCanBeGivenInOneBatch) {
  std::vector<std::byte*> blocks;
  for (SizeClass c = 1; c < kSizeClasses; ++c) blocks.push_back(Take(c, 1)[0]);

  Give(blocks);

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
  EXPECT_EQ(Stats().run_lent_bytes, 0u);
  ExpectStatsAddUp();
}

// Whatever order the blocks of several slabs come back in, each slab is listed by what is free in
// it.
TEST_F(ArenaTest, BlocksOfOneClassCanBeGivenInAnyOrder) {
  for (const size_t bytes : {16u, 48u, 1024u, 5000u, 16384u}) {
    const SizeClass c = ClassOf(bytes);
    const size_t per_slab = kUnitBytes / ClassBytes(c);
    std::vector<std::byte*> blocks;
    while (blocks.size() < 5 * per_slab) {
      for (std::byte* block : Take(c, per_slab)) blocks.push_back(block);
    }
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(bytes));
    const size_t half = blocks.size() / 2;

    Give(c, {blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(half)});
    EXPECT_EQ(Stats().small_lent_bytes, (blocks.size() - half) * ClassBytes(c));
    ArenaClassStats classes[kSizeClasses] = {};
    {
      LockGuard guard(arena_.lock());
      (void)arena_.Stats(classes);
    }
    EXPECT_EQ((half - classes[c].free) % per_slab, 0u) << "but for slabs that have gone";
    // The next block is of a slab in the fullest quarter that there is.
    std::map<uintptr_t, size_t> free_blocks;
    for (size_t i = 0; i < blocks.size(); ++i) {
      free_blocks[AddressOf(blocks[i]) / kUnitBytes] += i < half ? 1 : 0;
    }
    const auto quarter = [per_slab](size_t free) { return (free * 4 - 1) / per_slab; };
    size_t fullest = 4;
    for (const auto& [unit, free] : free_blocks) {
      if (free != 0 && free != per_slab) fullest = std::min(fullest, quarter(free));
    }
    const std::vector<std::byte*> next = Take(c, 1);
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(quarter(free_blocks[AddressOf(next[0]) / kUnitBytes]), fullest) << bytes;
    Give(c, next);
    Give(c, {blocks.begin() + static_cast<std::ptrdiff_t>(half), blocks.end()});

    EXPECT_EQ(Stats().small_lent_bytes, 0u);
    const std::vector<std::byte*> again = Take(c, blocks.size());
    EXPECT_EQ(again.size(), per_slab) << "the last slab of the class has stayed";
    ExpectStatsAddUp();
    Give(c, again);
  }
}

TEST_F(ArenaTest, OfOneClassMediumBlocksAndThoseOfMixedSlabsCanBeGivenToo) {
  const SizeClass medium = ClassOf(20'000);
  Give(medium, Take(medium, 10));
  EXPECT_EQ(Stats().run_lent_bytes, 0u);

  const SizeClass c = ClassOf(64);
  const std::vector<std::byte*> blocks = Take(c, 100);
  {
    LockGuard guard(arena_.lock());
    MixSlab(SlabAt(SuperblockOf(blocks[0]), blocks[0]));
  }
  map_.SetUnit(AddressOf(blocks[0]), AddressMap::OwnerTag(arena_.id()), kReciprocal[c]);
  Give(c, blocks);

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
}

TEST_F(ArenaTest, LentBytesFollowWhatIsTakenAndGiven) {
  const std::vector<std::byte*> small = Take(ClassOf(100), 10);
  EXPECT_EQ(Stats().small_lent_bytes, 10 * 112u);
  const std::vector<std::byte*> medium = Take(ClassOf(17'000), 4);
  EXPECT_EQ(Stats().run_lent_bytes, 4 * ClassBytes(ClassOf(17'000)));

  Give({small.begin(), small.begin() + 4});
  Give({medium.begin(), medium.begin() + 1});

  EXPECT_EQ(Stats().small_lent_bytes, 6 * 112u);
  EXPECT_EQ(Stats().run_lent_bytes, 3 * ClassBytes(ClassOf(17'000)));
  ExpectStatsAddUp();
}

TEST_F(ArenaTest, RunsAreTakenResizedAndGiven) {
  std::byte* const block = arena_.TakeRun(100 * kKiB, 16, nullptr);
  ASSERT_NE(block, nullptr);
  FillPattern(block, 100 * kKiB, 1);

  EXPECT_EQ(arena_.ResizeRun(RunOf(block), 200 * kKiB), 200 * kKiB);
  EXPECT_EQ(Stats().run_lent_bytes, 200 * kKiB);
  EXPECT_EQ(FindDamage(block, 100 * kKiB, 1), kIntact);
  EXPECT_EQ(arena_.ResizeRun(RunOf(block), 50 * kKiB), 50 * kKiB);
  arena_.GiveRun(RunOf(block));

  EXPECT_EQ(Stats().run_lent_bytes, 0u);
  ExpectStatsAddUp();
}

TEST_F(ArenaTest, ARunThatCannotGrowStaysAsItIs) {
  std::byte* const block = arena_.TakeRun(100 * kKiB, 16, nullptr);
  std::byte* const next = arena_.TakeRun(100 * kKiB, 16, nullptr);
  ASSERT_EQ(next, block + 100 * kKiB);

  EXPECT_EQ(arena_.ResizeRun(RunOf(block), 200 * kKiB), 100 * kKiB);

  EXPECT_EQ(Stats().run_lent_bytes, 200 * kKiB);
}

TEST_F(ArenaTest, RunsHaveTheAlignmentThatWasAskedFor) {
  for (size_t alignment = 1; alignment <= kLargeMax; alignment *= 2) {
    std::byte* const block = arena_.TakeRun(40 * kKiB, alignment, nullptr);

    ASSERT_NE(block, nullptr);
    EXPECT_EQ(AddressOf(block) % alignment, 0u) << alignment;
  }
  ExpectStatsAddUp();
}

TEST_F(ArenaTest, ARefusalGivesNoBlockAndTheNextTryWorks) {
  std::byte* block = nullptr;
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(ClassOf(64), 1).size(), 0u);
  EXPECT_EQ(Take(ClassOf(4096), 1).size(), 0u);
  EXPECT_EQ(arena_.TakeRun(kLargeMax, 16, nullptr), nullptr);
  os_.RefuseNothing();

  EXPECT_EQ(Take(ClassOf(64), 1).size(), 1u);
  EXPECT_EQ(Take(ClassOf(4096), 1).size(), 1u);
  block = arena_.TakeRun(kLargeMax, 16, nullptr);
  EXPECT_NE(block, nullptr);
  ExpectStatsAddUp();
}

TEST_F(ArenaTest, ABatchOfMediumBlocksEndsWhereTheSystemRefuses) {
  const SizeClass c = kSizeClasses - 1;
  ASSERT_EQ(Take(c, 1).size(), 1u);
  os_.RefuseEvery(FakeOs::kMap);

  EXPECT_EQ(Take(c, 1000).size(), kSuperblockBytes / kMediumMax - 1);

  ExpectStatsAddUp();
}

using ArenaDeathTest = ArenaTest;

TEST_F(ArenaDeathTest, ASmallBlockGivenTwiceIsReported) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 2);
  Give({blocks[0]});

  EXPECT_DEATH(Give({blocks[0]}), "double free of 0x[0-9a-f]+ .size class 64 B.");
}

TEST_F(ArenaDeathTest, ASmallBlockGivenTwiceAmongItsClassIsReported) {
  const SizeClass c = ClassOf(64);
  const std::vector<std::byte*> blocks = Take(c, 3);

  EXPECT_DEATH(Give(c, {blocks[0], blocks[1], blocks[0]}),
               "double free of 0x[0-9a-f]+ .size class 64 B.");
}

TEST_F(ArenaDeathTest, AMediumBlockGivenTwiceIsReported) {
  const std::vector<std::byte*> blocks = Take(ClassOf(4096), 2);
  Give({blocks[0]});

  EXPECT_DEATH(Give({blocks[0]}), "double free of 0x");
}

TEST_F(ArenaDeathTest, ALargeRunGivenTwiceIsReported) {
  std::byte* const block = arena_.TakeRun(100 * kKiB, 16, nullptr);
  const Run run = RunOf(block);
  arena_.GiveRun(run);

  EXPECT_DEATH(arena_.GiveRun(run), "double free of 0x[0-9a-f]+ .size class 102400 B.");
}

TEST_F(ArenaDeathTest, ABlockOutsideOfEverySuperblockIsReported) {
  EXPECT_DEATH(Give({reinterpret_cast<std::byte*>(uintptr_t{64})}), "heap corruption");
}

// Random calls; the figures add up at every step and no two live blocks overlap.
TEST_F(ArenaTest, StatsAddUpWhateverIsDone) {
  std::mt19937 random(7);
  struct Live {
    std::byte* block;
    size_t bytes;
    bool large;
  };
  std::vector<Live> live;
  size_t small_bytes = 0;
  size_t run_bytes = 0;
  uint32_t round = 1;
  for (int step = 0; step < 1500; ++step) {
    const uint32_t choice = random() % 10;
    if (choice < 4) {
      const SizeClass c = 1 + random() % (kSizeClasses - 1);
      for (std::byte* block : Take(c, 1 + random() % 20)) {
        live.push_back({block, ClassBytes(c), false});
        FillPattern(block, ClassBytes(c), KeyOfAddress(block));
        (c < kSmallClasses ? small_bytes : run_bytes) += ClassBytes(c);
      }
    } else if (choice == 4) {
      const size_t bytes = kMediumMax + 512 * (1 + random() % 1000);
      std::byte* const block = arena_.TakeRun(bytes, 16u << random() % 8, nullptr);
      ASSERT_NE(block, nullptr);
      const size_t usable = RunOf(block).bytes();
      ASSERT_GE(usable, bytes);
      FillPattern(block, usable, KeyOfAddress(block));
      live.push_back({block, usable, true});
      run_bytes += usable;
    } else if (choice == 5) {
      bool pending = false;
      arena_.SweepStep(round += random() % 2, random() % 2 == 0, &pending);
    } else if (!live.empty()) {
      for (size_t n = 1 + random() % 8; n > 0 && !live.empty(); --n) {
        std::swap(live[random() % live.size()], live.back());
        const Live gone = live.back();
        live.pop_back();
        ASSERT_EQ(FindDamage(gone.block, gone.bytes, KeyOfAddress(gone.block)), kIntact);
        const bool small = gone.bytes <= kSmallMax;
        (small ? small_bytes : run_bytes) -= gone.bytes;
        if (gone.large) {
          arena_.GiveRun(RunOf(gone.block));
        } else {
          Give({gone.block});
        }
      }
    }
    const ArenaStats stats = Stats();
    ASSERT_EQ(stats.small_lent_bytes, small_bytes);
    ASSERT_EQ(stats.run_lent_bytes, run_bytes);
    if (step % 10 == 0) ExpectStatsAddUp();
  }
}

}  // namespace
}  // namespace cma
