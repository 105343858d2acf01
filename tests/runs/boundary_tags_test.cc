#include "runs/boundary_tags.h"

#include <gtest/gtest.h>

#include <memory>

namespace cma {
namespace {

constexpr uint32_t kSlot = kGranulesPerSlot;

// The tags never look at the memory that they describe.
class BoundaryTagsTest : public testing::Test {
 protected:
  using Run = cma::Run;  // not testing::Test::Run()

  BoundaryTagsTest() {
    superblock_.tables = tables_.get();
    superblock_.base = reinterpret_cast<std::byte*>(64 * kSuperblockBytes);
  }

  Run Make(uint32_t start, uint32_t length, RunState state = RunState::kUsed) {
    const Run run = {&superblock_, start, length};
    WriteTags(run, state);
    return run;
  }

  const std::unique_ptr<SuperblockTables> tables_ = std::make_unique<SuperblockTables>();
  Superblock superblock_ = {};
};

TEST_F(BoundaryTagsTest, ARunIsReadAsItWasWritten) {
  for (const RunState state : {RunState::kFree, RunState::kUsed, RunState::kSlab}) {
    Make(5, 100, state);

    const Run run = RunAt(&superblock_, 5);

    EXPECT_EQ(run.start, 5u);
    EXPECT_EQ(run.length, 100u);
    EXPECT_EQ(run.end(), 105u);
    EXPECT_EQ(StateOf(run), state);
  }
}

TEST_F(BoundaryTagsTest, ARunMayFillTheWholeSuperblock) {
  const Run whole = Make(0, kGranulesPerSuperblock, RunState::kFree);

  EXPECT_EQ(RunAt(&superblock_, 0).length, kGranulesPerSuperblock);
  EXPECT_EQ(whole.bytes(), kSuperblockBytes);
  EXPECT_EQ(whole.address(), superblock_.base);
  EXPECT_EQ(RunBefore(whole).length, 0u);
  EXPECT_EQ(RunAfter(whole).length, 0u);
}

TEST_F(BoundaryTagsTest, NeighboursFindEachOtherAtAnyPlaceInASlot) {
  for (uint32_t offset = 0; offset < kSlot; ++offset) {
    const uint32_t middle = 2 * kSlot + offset;
    const uint32_t right = middle + kSlot + offset;
    Make(kSlot, middle - kSlot);
    Make(middle, right - middle);
    Make(right, kSlot);

    const Run run = RunAt(&superblock_, middle);

    EXPECT_EQ(RunBefore(run).start, kSlot);
    EXPECT_EQ(RunBefore(run).length, middle - kSlot);
    EXPECT_EQ(RunAfter(run).start, right);
    EXPECT_EQ(RunAfter(run).length, kSlot);
    EXPECT_EQ(RunBefore(RunAfter(run)).start, middle);
  }
}

TEST_F(BoundaryTagsTest, ShortestRunsSideBySideEachHaveATag) {
  for (uint32_t start = 3; start + kSlot <= kGranulesPerSuperblock; start += kSlot) {
    Make(start, kSlot);
  }

  for (uint32_t start = 3 + kSlot; start + kSlot <= kGranulesPerSuperblock; start += kSlot) {
    ASSERT_EQ(RunAt(&superblock_, start).length, kSlot);
    ASSERT_EQ(RunBefore(RunAt(&superblock_, start)).start, start - kSlot);
  }
}

TEST_F(BoundaryTagsTest, AUsedRunIsFoundAtItsStartOnly) {
  const Run run = Make(21, 40);

  EXPECT_EQ(UsedRunAt(&superblock_, run.address()).length, 40u);
  for (const size_t offset : {1, 16, 63, 64, 128, 64 * 11, 64 * 16, 64 * 39}) {
    EXPECT_EQ(UsedRunAt(&superblock_, run.address() + offset).length, 0u) << offset;
  }
  EXPECT_EQ(UsedRunAt(&superblock_, run.address() - kGranuleBytes).length, 0u);
}

TEST_F(BoundaryTagsTest, OnlyUsedRunsAreFoundAsSuch) {
  for (const RunState state : {RunState::kFree, RunState::kSlab, RunState::kNone}) {
    const Run run = Make(32, 16, state);

    EXPECT_EQ(UsedRunAt(&superblock_, run.address()).length, 0u);
  }
}

TEST_F(BoundaryTagsTest, AnErasedStartIsNoRun) {
  const Run run = Make(21, 40);

  EraseStart(run);

  EXPECT_EQ(UsedRunAt(&superblock_, run.address()).length, 0u);
  EXPECT_EQ(RunAt(&superblock_, 21).length, 0u);
}

}  // namespace
}  // namespace cma
