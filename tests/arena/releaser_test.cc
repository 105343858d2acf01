#include "arena/releaser.h"

#include <gtest/gtest.h>
#include <string.h>
#include <sys/resource.h>

#include <vector>

#include "support/arena_fixture.h"
#include "support/pages.h"
#include "support/sanitizer.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;

constexpr Milliseconds kAge = 500;

class ReleaserTest : public cma_test::ArenaFixture {
 protected:
  ReleaserTest() {
    g_options.release_delay_ms = kAge;
    g_options.background_thread = 0;  // its thread would outlive the test
  }

  // A dirty free run beside a used one, so that the superblock stays.
  std::byte* FreeDirtyRun() {
    std::byte* const block = arena_.TakeRun(kLargeMax, 16, nullptr);
    arena_.TakeRun(kLargeMax, 16, nullptr);
    memset(block, 1, kLargeMax);
    arena_.GiveRun(RunOf(block));
    return block;
  }

  // What the calls of a program do in one round's time, after `wait`.
  void StepsAfter(Milliseconds wait) {
    os_.Advance(wait);
    for (int i = 0; i < 100; ++i) releaser_.Step(os_.now());
  }

  Releaser releaser_{arenas_, central_, huge_};
};

TEST_F(ReleaserTest, TheProgramsOwnCallsReturnFreeMemoryAfterTheDelay) {
  std::byte* const run = FreeDirtyRun();

  StepsAfter(kAge);
  EXPECT_GT(CountPagesWithMemory(run, kLargeMax), 0u);
  StepsAfter(kAge);

  EXPECT_EQ(CountPagesWithMemory(run, kLargeMax), 0u);
}

// What ended threads have left: counted down by the hooks.
int g_left_caches = 0;
int g_marked_caches = 0;

class LeftCachesTest : public ReleaserTest {
 protected:
  LeftCachesTest() {
    g_left_caches = g_marked_caches = 0;
    Releaser::SetLeftCaches(
        [](bool) {
          g_marked_caches = g_left_caches;
          return false;
        },
        [](bool) {
          if (g_marked_caches == 0) return false;
          --g_left_caches;
          --g_marked_caches;
          return true;
        });
  }
  ~LeftCachesTest() override {
    Releaser::SetLeftCaches([](bool) { return false; }, [](bool) { return false; });
  }
};

TEST_F(LeftCachesTest, TheProgramsOwnCallsEmptyOneEach) {
  StepsAfter(kAge);
  g_left_caches = 3;
  releaser_.Step(os_.now());
  EXPECT_EQ(g_left_caches, 3) << "until the next round";

  os_.Advance(kAge);
  for (int left = 2; left >= 0; --left) {
    releaser_.Step(os_.now());
    EXPECT_EQ(g_left_caches, left);
  }
}

TEST_F(LeftCachesTest, AThreadThatReadTheClockBeforeTheRoundBeganStartsNone) {
  StepsAfter(kAge);
  g_left_caches = 1;

  releaser_.Step(os_.now() - 1);

  EXPECT_EQ(g_left_caches, 1);
}

TEST_F(LeftCachesTest, ATrimEmptiesAll) {
  g_left_caches = 3;

  releaser_.ReleaseAll();

  EXPECT_EQ(g_left_caches, 0);
}

TEST_F(ReleaserTest, WithinHalfTheDelayNothingIsReturned) {
  std::byte* const run = FreeDirtyRun();
  StepsAfter(0);

  for (int i = 0; i < 2; ++i) StepsAfter(kAge / 4 - 1);

  EXPECT_EQ(CountPagesWithMemory(run, kLargeMax), kLargeMax / OsPageBytes());
}

TEST_F(ReleaserTest, OneStepReturnsALittleOnly) {
  for (int i = 0; i < 40; ++i) FreeDirtyRun();
  StepsAfter(kAge);
  os_.Advance(kAge);

  const size_t before = os_.decommits().size();
  releaser_.Step(os_.now());

  EXPECT_LE(os_.decommits().size() - before, size_t{Arena::kSweepRanges} + 2);
}

TEST_F(ReleaserTest, FreeSuperblocksAndHugeBlocksAreReturnedByAge) {
  Superblock* const superblock = central_.TakeSuperblock();
  memset(superblock->base, 1, OsPageBytes());
  central_.GiveSuperblock(superblock, os_.now());
  std::byte* const huge = huge_.Take(2 * kMiB, 16, HugeBlocks::Contents::kAny);
  ASSERT_TRUE(huge_.Give(huge));

  StepsAfter(kAge);
  StepsAfter(kAge);

  EXPECT_EQ(central_.dirty_superblocks(), 0u);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
}

TEST_F(ReleaserTest, ReleaseAllReturnsEverythingNow) {
  std::byte* const run = FreeDirtyRun();
  std::byte* const huge = huge_.Take(2 * kMiB, 16, HugeBlocks::Contents::kAny);
  ASSERT_TRUE(huge_.Give(huge));
  central_.GiveSuperblock(central_.TakeSuperblock(), os_.now());

  EXPECT_TRUE(releaser_.ReleaseAll());

  EXPECT_EQ(CountPagesWithMemory(run, kLargeMax), 0u);
  EXPECT_EQ(huge_.cached_bytes(), 0u);
  EXPECT_EQ(central_.free_superblocks(), 0u);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

TEST_F(ReleaserTest, ReleaseAllSaysSoIfThereIsNothingToReturn) {
  arena_.TakeRun(kLargeMax, 16, nullptr);
  releaser_.ReleaseAll();

  EXPECT_FALSE(releaser_.ReleaseAll());
}

TEST_F(ReleaserTest, ReleaseAllReachesEveryArena) {
  Arena& other = *arenas_.At(3);
  std::byte* const block = other.TakeRun(kLargeMax, 16, nullptr);
  other.TakeRun(kLargeMax, 16, nullptr);
  memset(block, 1, kLargeMax);
  other.GiveRun(RunOf(block));

  releaser_.ReleaseAll();

  EXPECT_EQ(CountPagesWithMemory(block, kLargeMax), 0u);
}

TEST_F(ReleaserTest, WithoutPermissionThereIsNoThread) {
  for (int i = 0; i < 100; ++i) huge_.Take(2 * kMiB, 16, HugeBlocks::Contents::kZero);

  releaser_.MaybeStart();

  EXPECT_FALSE(releaser_.has_thread());
}

TEST_F(ReleaserTest, ASmallHeapHasNoThread) {
  g_options.background_thread = 1;
  huge_.Take(2 * kMiB, 16, HugeBlocks::Contents::kZero);

  releaser_.MaybeStart();

  EXPECT_FALSE(releaser_.has_thread());
}

TEST_F(ReleaserTest, AThreadThatWasRefusedIsTriedAgainLater) {
  if (cma_test::kHasShadowMemory) GTEST_SKIP() << "a sanitizer needs address space of its own";
  g_options.background_thread = 1;
  for (int i = 0; i < 100; ++i) huge_.Take(2 * kMiB, 16, HugeBlocks::Contents::kZero);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit no_more = {0, before.rlim_max};  // so that it has no stack
  ASSERT_EQ(setrlimit(RLIMIT_AS, &no_more), 0);
  releaser_.MaybeStart();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_FALSE(releaser_.has_thread());

  os_.Advance(999);
  releaser_.MaybeStart();
  EXPECT_FALSE(releaser_.has_thread());
  os_.Advance(1);
  releaser_.MaybeStart();

  EXPECT_TRUE(releaser_.has_thread());
  releaser_.EndThread();
}

TEST_F(ReleaserTest, NotingThatSomethingWasFreedNeedsNoThread) {
  releaser_.NoteFreed();

  EXPECT_FALSE(releaser_.has_thread());
}

}  // namespace
}  // namespace cma
