// Names of the family that are in no header: glibc's own, old ones and those of C23.
#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>

#include <cstdint>
#include <cstring>

#include "preload/cma_in_use.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"

// glibc 2.36 exports no cfree, free_sized or free_aligned_sized to link with; all of them are weak
// so that the program starts without cma too.
extern "C" {
[[gnu::weak]] void* __libc_malloc(size_t size);
[[gnu::weak]] void* __libc_calloc(size_t count, size_t size);
[[gnu::weak]] void* __libc_realloc(void* block, size_t size);
[[gnu::weak]] void __libc_free(void* block);
[[gnu::weak]] void* __libc_memalign(size_t alignment, size_t size);
[[gnu::weak]] void* __libc_valloc(size_t size);
[[gnu::weak]] void* __libc_pvalloc(size_t size);
[[gnu::weak]] void cfree(void* block) noexcept;
[[gnu::weak]] void free_sized(void* block, size_t size) noexcept;
[[gnu::weak]] void free_aligned_sized(void* block, size_t alignment, size_t size) noexcept;
}

namespace {

using namespace cma_test;

class AliasTest : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override { SKIP_WITHOUT_CMA(); }

  static void Use(void* block, size_t size) {
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u);
    EXPECT_GE(malloc_usable_size(block), size);
    FillPattern(block, size, 1);
  }
};

TEST_P(AliasTest, BlocksOfGlibcsNamesMayBeGivenToFree) {
  const size_t size = GetParam();
  void* const blocks[] = {__libc_malloc(size),           __libc_calloc(size, 1),
                          __libc_realloc(nullptr, size), __libc_memalign(64, size),
                          __libc_valloc(size),           __libc_pvalloc(size)};
  for (void* block : blocks) {
    Use(block, size);
    free(block);
  }
}

TEST_P(AliasTest, BlocksOfMallocMayBeGivenToGlibcsNames) {
  const size_t size = GetParam();
  void* block = malloc(size);
  Use(block, size);

  block = __libc_realloc(block, size * 2);

  ASSERT_NE(block, nullptr);
  EXPECT_EQ(FindDamage(block, size / 8 * 8, 1), kIntact);
  __libc_free(block);
  __libc_free(calloc(1, size));
  __libc_free(aligned_alloc(256, size));
}

TEST_P(AliasTest, CfreeFrees) {
  const size_t before = CmaStats().live_bytes;

  cfree(malloc(GetParam()));

  EXPECT_EQ(CmaStats().live_bytes, before);
  cfree(nullptr);
}

TEST_P(AliasTest, SizedFreesFree) {
  const size_t size = GetParam();
  const size_t before = CmaStats().live_bytes;

  free_sized(malloc(size), size);
  free_sized(calloc(size, 1), size);
  free_aligned_sized(aligned_alloc(128, size), 128, size);

  EXPECT_EQ(CmaStats().live_bytes, before);
  free_sized(nullptr, 0);
  free_aligned_sized(nullptr, 64, 0);
}

TEST_P(AliasTest, SizedFreesKeepErrno) {
  void* const block = malloc(GetParam());
  errno = EXDEV;

  free_sized(block, GetParam());

  EXPECT_EQ(errno, EXDEV);
}

INSTANTIATE_TEST_SUITE_P(Sizes, AliasTest,
                         testing::Values(1, 16, 1000, 1024, 5000, 200000, 5000000),
                         [](const auto& size) { return std::to_string(size.param) + "_bytes"; });

TEST(AliasLimitsTest, GlibcsNamesFailWithEnomemToo) {
  SKIP_WITHOUT_CMA();
  errno = 0;
  EXPECT_EQ(__libc_malloc(Opaque(SIZE_MAX)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(__libc_calloc(Opaque(SIZE_MAX), 2), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(__libc_memalign(64, Opaque(SIZE_MAX)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

}  // namespace
