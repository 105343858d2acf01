// Random calls, and beside them a model: which granules are whose.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "runs/run_heap.h"
#include "support/heap_fixture.h"
#include "support/run_checks.h"

namespace cma {
namespace {

using cma_test::ExpectTiled;
using cma_test::FakeOs;

constexpr uint32_t kSlot = kGranulesPerSlot;

class RunHeapModelTest : public cma_test::HeapFixture, public testing::WithParamInterface<int> {
 protected:
  // Enters a new run in the model; it may overlap none.
  void Enter(const Run& run) {
    const uintptr_t first = AddressOf(run.address());
    const uintptr_t last = first + run.bytes();
    auto after = live_.lower_bound(first);
    if (after != live_.end()) {
      ASSERT_LE(last, after->first);
    }
    if (after != live_.begin()) {
      ASSERT_LE(std::prev(after)->first + std::prev(after)->second.bytes(), first);
    }
    live_[first] = run;
    live_granules_ += run.length;
  }

  void Leave(const Run& run) {
    live_.erase(AddressOf(run.address()));
    live_granules_ -= run.length;
  }

  Run RandomLive() {
    auto at = live_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % live_.size()));
    return at->second;
  }

  uint32_t RandomLength() {
    const uint32_t scale = 1u << (random_() % 9);
    return kSlot + random_() % (32 * scale);
  }

  void TakeOne() {
    if (random_() % 8 == 0) {
      const Run run = heap_->TakeSlabRun();
      ASSERT_EQ(run.bytes(), kUnitBytes);
      ASSERT_EQ(AddressOf(run.address()) % kUnitBytes, 0u);
      return Enter(run);
    }
    const uint32_t alignment = random_() % 4 == 0 ? 1u << (random_() % 13) : 1;
    const uint32_t length = RandomLength();
    ZeroPages zero;
    const Run run = heap_->TakeRun(length, alignment, &zero);
    ASSERT_GE(run.length, length);
    ASSERT_LT(run.length, length + kSlot);
    ASSERT_EQ(run.start % alignment, 0u);
    ExpectZeroWhereSaid(run, zero);
    Enter(run);
  }

  // Every page that is said to be zero is; then the run is written.
  void ExpectZeroWhereSaid(const Run& run, ZeroPages& zero) {
    const size_t page = OsPageBytes();
    auto* const start = reinterpret_cast<volatile uint64_t*>(run.address());
    const uintptr_t first_page = AddressOf(run.address()) / page;
    for (size_t at = 0; at < run.bytes() / 8; at += kGranuleBytes / 8) {
      const size_t i = AddressOf(run.address() + at * 8) / page - first_page;
      if (i < ZeroPages::kMax && zero.zero.Test(i)) {
        ASSERT_EQ(start[at], 0u);
      }
      start[at] = 1;
    }
  }

  void GiveOne() {
    const Run run = RandomLive();
    Leave(run);
    heap_->GiveRun(run);
  }

  void ResizeOne() {
    const Run run = RandomLive();
    if (StateOf(run) != RunState::kUsed) return;
    const uint32_t length = RandomLength();
    const bool resized = heap_->ResizeRun(run, length);
    const Run now = UsedRunAt(run.superblock, run.address());
    ASSERT_EQ(now.start, run.start);
    if (resized) {
      ASSERT_GE(now.length, length);
      ASSERT_LT(now.length, length + kSlot);
    } else {
      ASSERT_GT(length, run.length);
      ASSERT_EQ(now.length, run.length);
    }
    Leave(run);
    Enter(now);
  }

  void Step() {
    const uint32_t choice = random_() % 16;
    if (live_.empty() || (growing_ ? choice < 8 : choice < 5)) {
      TakeOne();
    } else if (choice < 13) {
      GiveOne();
    } else {
      ResizeOne();
    }
  }

  std::mt19937 random_{static_cast<uint32_t>(GetParam())};
  bool growing_ = true;
  std::map<uintptr_t, Run> live_;  // by address
  size_t live_granules_ = 0;
  const std::unique_ptr<RunHeap> heap_ = std::make_unique<RunHeap>(central_, ArenaId{0});
};

TEST_P(RunHeapModelTest, RunsTileTheirSuperblocksWhateverIsDone) {
  for (int step = 0; step < 6000; ++step) {
    growing_ = step / 1000 % 2 == 0;

    Step();

    ASSERT_FALSE(HasFatalFailure()) << "step " << step;
    ASSERT_EQ(heap_->free_granules() + live_granules_,
              heap_->superblock_count() * kGranulesPerSuperblock);
    if (step % 100 == 0) ExpectTiled(*heap_);
    ASSERT_FALSE(HasFatalFailure()) << "step " << step;
  }
  while (!live_.empty()) GiveOne();

  ExpectTiled(*heap_);
  EXPECT_EQ(heap_->superblock_count(), 1u);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RunHeapModelTest, testing::Range(1, 5));

}  // namespace
}  // namespace cma
