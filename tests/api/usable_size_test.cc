// cma_malloc_usable_size() and cma_good_size().
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

TEST(UsableSizeTest, IsZeroForNull) { EXPECT_EQ(cma_malloc_usable_size(nullptr), 0u); }

TEST(UsableSizeTest, IsAtLeastWhatWasAskedFor) {
  for (const size_t size : InterestingSizes(64 * kMiB + 1)) {
    void* const block = cma_malloc(size);

    EXPECT_GE(cma_malloc_usable_size(block), size);
    cma_free(block);
  }
}

TEST(UsableSizeTest, AllOfItCanBeWrittenWithoutHarmToOtherBlocks) {
  for (const size_t size : InterestingSizes(2 * kMiB)) {
    std::vector<void*> blocks(5);
    for (void*& block : blocks) {
      block = cma_malloc(size);
      FillPattern(block, cma_malloc_usable_size(block), KeyOfAddress(block));
    }

    for (void* block : blocks) {
      const size_t usable = cma_malloc_usable_size(block);
      EXPECT_EQ(FindDamage(block, usable, KeyOfAddress(block)), kIntact) << size << " bytes";
      cma_free(block);
    }
  }
}

// Where slabs have much free a block may be of a class that is a little wider.
TEST(UsableSizeTest, WastesAtMostAnEighthAbove128BytesInAnEmptyHeap) {
  cma_malloc_trim(0);
  for (size_t size = 129; size <= 32 * kKiB; size += 7) {
    void* const block = cma_malloc(size);

    const size_t usable = cma_malloc_usable_size(block);

    EXPECT_LE((usable - size) * 8, usable) << size << " bytes";
    cma_free(block);
  }
}

TEST(GoodSizeTest, IsTheUsableSizeOfABlock) {
  cma_malloc_trim(0);
  for (const size_t size : InterestingSizes(kMiB)) {
    void* const block = cma_malloc(size);

    EXPECT_EQ(cma_good_size(size), cma_malloc_usable_size(block)) << size << " bytes";
    cma_free(block);
  }
}

// A block above 1 MiB may be longer: one from malloc, or from realloc, where one from calloc is
// not.
TEST(GoodSizeTest, IsTheLeastUsableSizeOfALongBlock) {
  for (const size_t size : InterestingSizes(64 * kMiB + 1)) {
    if (size <= kMiB) continue;
    for (void* block :
         {cma_malloc(size), cma_calloc(1, size), cma_realloc(cma_malloc(kMiB + 1), size)}) {
      EXPECT_GE(cma_malloc_usable_size(block), cma_good_size(size)) << size << " bytes";
      cma_free(block);
    }
  }
}

TEST(GoodSizeTest, IsItsOwnGoodSize) {
  for (const size_t size : InterestingSizes(64 * kMiB + 1)) {
    const size_t good = cma_good_size(size);

    EXPECT_GE(good, size);
    EXPECT_EQ(cma_good_size(good), good) << size << " bytes";
  }
}

TEST(GoodSizeTest, NeverFallsAsTheSizeGrows) {
  size_t last = 0;
  for (size_t size = 0; size <= 40 * kKiB; ++size) {
    const size_t good = cma_good_size(size);
    ASSERT_GE(good, last) << size << " bytes";
    last = good;
  }
}

TEST(GoodSizeTest, IsZeroForSizesThatAreTooLarge) {
  EXPECT_EQ(cma_good_size(Opaque(SIZE_MAX)), 0u);
  EXPECT_EQ(cma_good_size(Opaque(size_t{PTRDIFF_MAX} + 1)), 0u);
}

// A block that was longer may serve: what is said is what it has.
TEST(MallocSizedTest, SaysHowLongTheBlockReallyIs) {
  std::vector<void*> blocks(64);
  uint64_t state = 1;
  const auto random = [&state](size_t n) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return static_cast<size_t>(state >> 33) % n;
  };
  size_t longer = 0;
  for (int i = 0; i < 20'000; ++i) {
    void*& block = blocks[random(blocks.size())];
    cma_free(block);
    const size_t size = random(i % 2 == 0 ? 16 * kKiB : 400 * kKiB);
    const cma_sized_block got = cma_malloc_sized(size);
    block = got.block;
    ASSERT_EQ(got.bytes, cma_malloc_usable_size(got.block)) << size << " bytes";
    longer += got.bytes > cma_good_size(size) ? 1 : 0;
  }
  for (void* block : blocks) cma_free(block);
  EXPECT_GT(longer, 0u) << "this has tested nothing";
}

}  // namespace
