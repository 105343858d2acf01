// What holds of the runs of a superblock whatever was done before.
#ifndef CMA_TESTS_SUPPORT_RUN_CHECKS_H_
#define CMA_TESTS_SUPPORT_RUN_CHECKS_H_

#include <gtest/gtest.h>

#include <vector>

#include "runs/boundary_tags.h"
#include "runs/run_heap.h"

namespace cma_test {

// The runs of the superblock in order, as its tags tell.
inline std::vector<cma::Run> RunsOf(cma::Superblock* superblock) {
  std::vector<cma::Run> runs;
  for (uint32_t g = 0; g < cma::kGranulesPerSuperblock;) {
    const cma::Run run = cma::RunAt(superblock, g);
    if (run.length == 0) break;
    runs.push_back(run);
    g = run.end();
  }
  return runs;
}

// The runs tile the superblock, none is shorter than a slot, no two free ones are neighbours, and
// each knows the one before it.
inline void ExpectTiled(cma::Superblock* superblock) {
  uint32_t next = 0;
  uint32_t before = 0;
  bool before_was_free = false;
  for (const cma::Run& run : RunsOf(superblock)) {
    ASSERT_EQ(run.start, next);
    ASSERT_GE(run.length, cma::kGranulesPerSlot);
    ASSERT_LE(run.end(), cma::kGranulesPerSuperblock);
    ASSERT_NE(cma::StateOf(run), cma::RunState::kNone);
    const bool is_free = cma::StateOf(run) == cma::RunState::kFree;
    ASSERT_FALSE(is_free && before_was_free) << "free neighbours at granule " << run.start;
    ASSERT_EQ(cma::RunBefore(run).length, run.start == 0 ? 0 : run.start - before);
    before = run.start;
    before_was_free = is_free;
    next = run.end();
  }
  ASSERT_EQ(next, cma::kGranulesPerSuperblock);
}

// The same for all superblocks, and the heap's count of free granules is true.
inline void ExpectTiled(cma::RunHeap& heap) {
  size_t superblocks = 0;
  size_t free_granules = 0;
  for (cma::Superblock* s = heap.superblocks().front(); s != nullptr; s = s->next) {
    ++superblocks;
    ExpectTiled(s);
    if (testing::Test::HasFatalFailure()) return;
    for (const cma::Run& run : RunsOf(s)) {
      if (cma::StateOf(run) == cma::RunState::kFree) free_granules += run.length;
    }
  }
  ASSERT_EQ(heap.superblock_count(), superblocks);
  ASSERT_EQ(heap.free_granules(), free_granules);
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_RUN_CHECKS_H_
