// cma_calloc(): zero bytes, also where other bytes were before, and only touched where needed.
#include <errno.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"
#include "support/process_memory.h"
#include "support/sanitizer.h"

namespace {

using namespace cma_test;

// Frees blocks of about `size` bytes that were written in full.
void LeaveDirtyMemoryBehind(size_t size, size_t count) {
  std::vector<void*> blocks(count);
  for (void*& block : blocks) {
    block = cma_malloc(size);
    if (block != nullptr) memset(block, 0xa5, cma_malloc_usable_size(block));
  }
  for (void* block : blocks) cma_free(block);
}

TEST(CallocTest, GivesZeroBytes) {
  for (const size_t size : InterestingSizes(64 * kMiB + 1)) {
    void* const block = cma_calloc(1, size);

    ASSERT_NE(block, nullptr) << size << " bytes";
    EXPECT_TRUE(IsZero(block, size)) << size << " bytes";
    cma_free(block);
  }
}

TEST(CallocTest, GivesZeroBytesWhereOtherBytesWere) {
  for (const size_t size : InterestingSizes(16 * kMiB)) {
    const size_t count = size < 4 * kKiB ? 100 : size < kMiB ? 10 : 3;
    LeaveDirtyMemoryBehind(size, count);

    std::vector<void*> blocks(count);
    for (void*& block : blocks) block = cma_calloc(1, size);

    for (void* block : blocks) {
      ASSERT_NE(block, nullptr) << size << " bytes";
      EXPECT_TRUE(IsZero(block, size)) << size << " bytes";
      cma_free(block);
    }
  }
}

TEST(CallocTest, GivesZeroBytesWhereBlocksOfOtherSizesWere) {
  constexpr size_t kSizes[] = {40, 700, 1024, 5000, 30000, 33000, 200000, 1000000, 5000000};
  for (const size_t before : kSizes) {
    for (const size_t size : kSizes) {
      LeaveDirtyMemoryBehind(before, 20);

      void* const block = cma_calloc(size, 1);

      ASSERT_NE(block, nullptr);
      EXPECT_TRUE(IsZero(block, size)) << size << " bytes after " << before;
      memset(block, 0xa5, cma_malloc_usable_size(block));
      cma_free(block);
    }
  }
}

TEST(CallocTest, GivesZeroBytesAfterTheMemoryWentBackToTheSystem) {
  for (const size_t size : {64 * size_t{1}, 5 * kKiB, 100 * kKiB, 900 * kKiB, 6 * kMiB}) {
    LeaveDirtyMemoryBehind(size, 8 * kMiB / size + 1);
    cma_malloc_trim(0);

    void* const block = cma_calloc(1, size);

    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(IsZero(block, size)) << size << " bytes";
    cma_free(block);
  }
}

TEST(CallocTest, GivesZeroBytesInTheTailOfAShrunkenBlock) {
  for (const size_t size : {100 * kKiB, 900 * kKiB}) {
    void* block = cma_malloc(size);
    memset(block, 0xa5, size);
    block = cma_realloc(block, size / 4);
    memset(block, 0xa5, cma_malloc_usable_size(block));

    void* const zero = cma_calloc(1, size / 2);

    EXPECT_TRUE(IsZero(zero, size / 2)) << size << " bytes";
    cma_free(zero);
    cma_free(block);
  }
}

TEST(CallocTest, AZeroCountOrSizeGivesABlock) {
  void* const no_elements = cma_calloc(0, 16);
  void* const no_bytes = cma_calloc(16, 0);

  EXPECT_NE(no_elements, nullptr);
  EXPECT_NE(no_bytes, nullptr);
  EXPECT_NE(no_elements, no_bytes);
  cma_free(no_elements);
  cma_free(no_bytes);
}

TEST(CallocTest, AnOverflowingProductFailsWithEnomem) {
  const size_t half = size_t{1} << 32;
  const size_t pairs[][2] = {{SIZE_MAX, 2},    {2, SIZE_MAX},           {half, half},
                             {half + 1, half}, {SIZE_MAX / 16 + 1, 16}, {SIZE_MAX, SIZE_MAX}};
  for (const auto& [count, size] : pairs) {
    errno = 0;

    void* const block = cma_calloc(Opaque(count), Opaque(size));

    EXPECT_EQ(block, nullptr) << count << " times " << size;
    EXPECT_EQ(errno, ENOMEM) << count << " times " << size;
  }
}

TEST(CallocTest, AProductAbovePtrdiffMaxFailsWithEnomem) {
  errno = 0;

  void* const block = cma_calloc(Opaque(size_t{1} << 32), Opaque(size_t{1} << 31));

  EXPECT_EQ(block, nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(CallocTest, AGibibyteIsNotTouched) {
  if (kHasShadowMemory) GTEST_SKIP() << "the sanitizer's shadow is resident too";
  const size_t before = ResidentBytes();

  void* const block = cma_calloc(1, kGiB);

  ASSERT_NE(block, nullptr);
  EXPECT_LT(ResidentBytes(), before + 4 * kMiB);
  const auto* bytes = static_cast<const unsigned char*>(block);
  EXPECT_EQ(bytes[0] | bytes[kGiB / 2] | bytes[kGiB - 1], 0);
  cma_free(block);
}

TEST(CallocTest, FreshLargeBlocksAreNotTouched) {
  if (kHasShadowMemory) GTEST_SKIP() << "the sanitizer's shadow is resident too";
  cma_malloc_trim(0);  // what earlier tests left behind is no longer backed by memory
  const size_t before = ResidentBytes();
  std::vector<void*> blocks(256);

  for (void*& block : blocks) block = cma_calloc(1, 500 * kKiB);

  EXPECT_LT(ResidentBytes(), before + 16 * kMiB) << "125 MiB were asked for";
  for (void* block : blocks) cma_free(block);
}

}  // namespace
