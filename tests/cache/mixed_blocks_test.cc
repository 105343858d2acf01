// Blocks in holes of other sizes, by the public functions.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <thread>
#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "slabs/slab.h"
#include "support/one_cpu.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::kIntact;
using cma_test::KeyOfAddress;
using cma_test::Opaque;

// Before the first allocation.
const bool g_prepared =
    cma_test::StayOnThisCpu() && setenv("CMA_OPTIONS", "arenas=1,background_thread=0", 1) == 0;

class MixedBlocksTest : public testing::Test {
 protected:
  static constexpr size_t kBytes = 64;

  // Of 32 MiB one block in 16 is left; then others are taken until one lies in a hole.
  void SetUp() override {
    ASSERT_TRUE(g_prepared);
    GTEST_FLAG_SET(death_test_style, "fast");
    std::vector<void*> all(32 * kKiB * kKiB / kBytes);
    for (void*& block : all) block = cma_malloc(kBytes);
    for (size_t i = 0; i < all.size(); ++i) {
      if (i % 16 == 0) {
        FillPattern(all[i], kBytes, KeyOfAddress(all[i]));
        survivors_.push_back(all[i]);
      } else {
        cma_free(all[i]);
      }
    }
    while (others_.size() < 200 || !IsMixed(others_.back())) {
      ASSERT_LT(others_.size(), 100'000u);
      others_.push_back(cma_malloc(kOtherBytes));
      FillPattern(others_.back(), kOtherBytes, KeyOfAddress(others_.back()));
    }
  }

  void TearDown() override {
    for (void* block : survivors_) {
      ASSERT_EQ(FindDamage(block, kBytes, KeyOfAddress(block)), kIntact);
      cma_free(block);
    }
    for (void* block : others_) {
      ASSERT_EQ(FindDamage(block, kOtherBytes, KeyOfAddress(block)), kIntact);
      cma_free(block);
    }
  }

  static bool IsMixed(const void* block) {
    const Slab* const slab = SlabAt(g_address_map.FindSuperblock(AddressOf(block)), block);
    return slab != nullptr && slab->is_mixed;
  }

  // A block in a hole that nobody else holds.
  void* TakeOther() {
    void* const block = others_.back();
    others_.pop_back();
    return block;
  }

  static constexpr size_t kOtherBytes = 700;
  std::vector<void*> survivors_;
  std::vector<void*> others_;
};

TEST_F(MixedBlocksTest, TheirSizeIsThatOfTheirClass) {
  EXPECT_EQ(cma_malloc_usable_size(others_.back()), ClassBytes(ClassOf(kOtherBytes)));
  for (const void* block : survivors_) {
    ASSERT_EQ(cma_malloc_usable_size(const_cast<void*>(block)), kBytes);
  }
}

TEST_F(MixedBlocksTest, AFreedOneIsTheNextOfItsSize) {
  void* const block = TakeOther();
  cma_free(block);

  void* const again = cma_malloc(kOtherBytes);

  EXPECT_EQ(again, block);
  cma_free(again);
}

TEST_F(MixedBlocksTest, ReallocMovesThemAndKeepsWhatIsInThem) {
  void* const block = TakeOther();
  const uint64_t key = KeyOfAddress(block);

  void* const longer = cma_realloc(block, 5000);

  EXPECT_NE(longer, block);
  EXPECT_EQ(FindDamage(longer, kOtherBytes, key), kIntact);
  cma_free(longer);
}

TEST_F(MixedBlocksTest, AnAlignedOneIsAligned) {
  std::vector<void*> blocks;
  while (blocks.size() < 1000 || (!IsMixed(blocks.back()) && blocks.size() < 20'000)) {
    blocks.push_back(cma_aligned_alloc(128, 384));
    ASSERT_EQ(AddressOf(blocks.back()) % 128, 0u);
  }
  EXPECT_TRUE(IsMixed(blocks.back()));
  for (void* block : blocks) cma_free(block);
}

TEST_F(MixedBlocksTest, OtherThreadsMayFreeThem) {
  std::thread([this] {
    for (size_t i = 0; i < survivors_.size(); i += 2) cma_free(survivors_[i]);
    for (size_t i = 0; i < others_.size(); i += 2) cma_free(others_[i]);
  }).join();
  std::vector<void*> left;
  for (size_t i = 1; i < survivors_.size(); i += 2) left.push_back(survivors_[i]);
  survivors_.swap(left);
  left.clear();
  for (size_t i = 1; i < others_.size(); i += 2) left.push_back(others_[i]);
  others_.swap(left);
}

// The slab is one of the thread's own as long as it frees: it must not wait for the look at the map.
TEST_F(MixedBlocksTest, OtherThreadsMayFreeWhileSlabsAreMixed) {
  std::vector<void*> theirs;
  for (size_t i = 0; i < survivors_.size(); ++i) {
    if (i % 2 == 0) theirs.push_back(survivors_[i]);
  }
  std::vector<void*> mine;
  for (size_t i = 1; i < survivors_.size(); i += 2) mine.push_back(survivors_[i]);
  survivors_.swap(mine);
  std::thread other([&theirs] {
    for (void* block : theirs) {
      ASSERT_EQ(FindDamage(block, kBytes, KeyOfAddress(block)), kIntact);
      cma_free(block);
    }
  });
  for (size_t i = 0; i < 20'000; ++i) {
    others_.push_back(cma_malloc(kOtherBytes));
    FillPattern(others_.back(), kOtherBytes, KeyOfAddress(others_.back()));
  }
  other.join();
}

using MixedBlocksDeathTest = MixedBlocksTest;

TEST_F(MixedBlocksDeathTest, FreeingOneTwiceIsReported) {
  void* const block = TakeOther();
  cma_free(block);

  EXPECT_DEATH(cma_free(Opaque(block)), "double free of 0x[0-9a-f]+ .size class 704 B.");
}

TEST_F(MixedBlocksDeathTest, FreeingOneTwiceThatWentHomeIsReported) {
  void* const block = TakeOther();
  cma_free(block);
  ThreadCache::FlushCurrent();

  EXPECT_DEATH(cma_free(Opaque(block)), "double free of 0x[0-9a-f]+");
}

TEST_F(MixedBlocksDeathTest, FreeingTheMiddleOfOneIsReported) {
  auto* const block = static_cast<char*>(others_.back());

  constexpr char kReport[] = "size class 704 B.: it is not the start of a block";
  EXPECT_DEATH(cma_free(Opaque(block + 16)), kReport);
  EXPECT_DEATH(cma_free(Opaque(block + 1)), kReport);
  EXPECT_DEATH(cma_malloc_usable_size(Opaque(block + 32)), kReport);
}

}  // namespace
}  // namespace cma
