// A program that goes on with other sizes once it has freed everything, in no order.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <random>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "slabs/slab.h"
#include "support/one_cpu.h"

namespace cma {
namespace {

// Before the first allocation.
const bool g_prepared =
    cma_test::StayOnThisCpu() && setenv("CMA_OPTIONS", "arenas=1,background_thread=0", 1) == 0;

TEST(PhasesTest, WhatWaitsOfOtherSizesDoesNotKeepMemoryApart) {
  ASSERT_TRUE(g_prepared);
  std::mt19937 random(1);
  std::vector<void*> blocks;
  size_t all = 0;
  size_t in_mixed = 0;
  for (int phase = 0; phase < 60; ++phase) {
    const size_t bytes = 32 + random() % 16 * 16;
    blocks.resize(3 * kMiB / bytes);
    for (void*& block : blocks) {
      block = cma_malloc(bytes);
      const Slab* const slab = SlabAt(g_address_map.FindSuperblock(AddressOf(block)), block);
      in_mixed += slab != nullptr && slab->is_mixed ? 1 : 0;
    }
    all += blocks.size();
    std::shuffle(blocks.begin(), blocks.end(), random);
    for (void* block : blocks) cma_free(block);
  }

  EXPECT_LT(in_mixed, all / 4);
  EXPECT_LE(g_heap.central.mapped_bytes(), 4 * kSuperblockBytes);
}

}  // namespace
}  // namespace cma
