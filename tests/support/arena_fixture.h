// A fixture with one arena that is under test.
#ifndef CMA_TESTS_SUPPORT_ARENA_FIXTURE_H_
#define CMA_TESTS_SUPPORT_ARENA_FIXTURE_H_

#include <gtest/gtest.h>

#include <vector>

#include "arena/arena.h"
#include "support/heap_fixture.h"

namespace cma_test {

class ArenaFixture : public HeapFixture {
 protected:
  std::vector<std::byte*> Take(cma::SizeClass c, size_t want) {
    std::vector<std::byte*> blocks(want);
    cma::LockGuard guard(arena_.lock());
    blocks.resize(arena_.TakeBlocks(c, blocks.data(), want));
    return blocks;
  }

  void Give(const std::vector<std::byte*>& blocks) {
    cma::LockGuard guard(arena_.lock());
    arena_.GiveBlocks(blocks.data(), blocks.size());
  }

  // The same for blocks of one class.
  void Give(cma::SizeClass c, const std::vector<std::byte*>& blocks) {
    cma::LockGuard guard(arena_.lock());
    arena_.GiveBlocks(c, blocks.data(), blocks.size());
  }

  // Gives all but one block in so many back; those that stay.
  std::vector<std::byte*> Thin(const std::vector<std::byte*>& blocks, size_t keep_one_in) {
    std::vector<std::byte*> kept;
    std::vector<std::byte*> gone;
    for (size_t i = 0; i < blocks.size(); ++i) {
      (i % keep_one_in == 0 ? kept : gone).push_back(blocks[i]);
    }
    Give(gone);
    return kept;
  }

  cma::ArenaStats Stats() {
    cma::LockGuard guard(arena_.lock());
    return arena_.Stats();
  }

  cma::Superblock* SuperblockOf(const std::byte* block) const {
    return map_.FindSuperblock(cma::AddressOf(block));
  }

  Run RunOf(const std::byte* block) const { return cma::UsedRunAt(SuperblockOf(block), block); }

  // Each byte of the arena's superblocks is in a slab, in a used run or in a free one.
  void ExpectStatsAddUp() {
    const cma::ArenaStats stats = Stats();
    EXPECT_EQ(stats.superblock_bytes,
              stats.slab_bytes + stats.run_lent_bytes + stats.free_run_bytes);
    EXPECT_LE(stats.small_lent_bytes, stats.slab_bytes);
    EXPECT_LE(stats.dirty_bytes, stats.superblock_bytes);
    EXPECT_EQ(central_.mapped_bytes(),
              stats.superblock_bytes + central_.free_superblocks() * cma::kSuperblockBytes);
  }

  // Sweeps until the round is over; how many steps it took. `pending` as SweepStep() sets it.
  int Sweep(uint32_t round, bool at_once, bool* pending) {
    int steps = 0;
    while (arena_.SweepStep(round, at_once, pending)) ++steps;
    return steps;
  }

  int Sweep(uint32_t round) {
    bool pending = false;
    return Sweep(round, false, &pending);
  }

  cma::Arena& arena_ = *arenas_.At(0);
};

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_ARENA_FIXTURE_H_
