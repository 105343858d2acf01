// A fixture whose thread stays on one CPU and has one of two arenas: what lies in the other one is
// somebody else's. No thread works in the background.
#ifndef CMA_TESTS_SUPPORT_TWO_ARENAS_H_
#define CMA_TESTS_SUPPORT_TWO_ARENAS_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/thread_cache.h"
#include "support/one_cpu.h"

namespace cma_test {

// Before the first allocation.
inline const bool g_has_two_arenas =
    StayOnThisCpu() && setenv("CMA_OPTIONS", "arenas=2,background_thread=0", 1) == 0;

class TwoArenas : public testing::Test {
 protected:
  TwoArenas() {
    cma_free(cma_malloc(16));
    home_ = cma::t_cache->arena;
    other_ = cma::g_heap.arenas.At(1 - static_cast<size_t>(home_->id()));
  }

  void SetUp() override { ASSERT_TRUE(g_has_two_arenas); }

  void TearDown() override {
    for (void* block : left_) cma_free(block);
    cma_malloc_trim(0);
  }

  cma::Arena* home_;
  cma::Arena* other_;
  std::vector<void*> left_;  // what is to be freed in the end
};

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_TWO_ARENAS_H_
