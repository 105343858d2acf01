// The functions that take an alignment.
#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"
#include "support/sanitizer.h"

namespace {

using namespace cma_test;

constexpr size_t kLargestAlignment = kGiB;

bool IsAligned(const void* block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

std::vector<size_t> SizesAround(size_t alignment) {
  std::vector<size_t> sizes = {0, 1, 16, 100, 1024, 5000, 40000};
  if (alignment <= 4 * kMiB) {
    for (const size_t size : {alignment - 1, alignment, alignment + 1, alignment * 3}) {
      sizes.push_back(size);
    }
    sizes.push_back(2 * kMiB + 7);
  }
  return sizes;
}

TEST(AlignedAllocTest, EveryPowerOfTwoUpToAGibibyteIsKept) {
  const size_t largest = kThreadSanitizer ? 64 * kMiB : kLargestAlignment;
  for (size_t alignment = 1; alignment <= largest; alignment *= 2) {
    for (const size_t size : SizesAround(alignment)) {
      void* const block = cma_aligned_alloc(alignment, size);

      ASSERT_NE(block, nullptr) << size << " bytes at " << alignment;
      EXPECT_TRUE(IsAligned(block, alignment)) << size << " bytes at " << alignment;
      EXPECT_TRUE(IsAligned(block, 16)) << size << " bytes at " << alignment;
      EXPECT_GE(cma_malloc_usable_size(block), size);
      FillPattern(block, size, KeyOfAddress(block));
      cma_free(block);
    }
  }
}

TEST(AlignedAllocTest, BlocksDoNotOverlap) {
  for (size_t alignment = 16; alignment <= 256 * kKiB; alignment *= 2) {
    for (const size_t size : {1, 60, 700, 3000, 40000}) {
      std::vector<void*> blocks(20);
      for (void*& block : blocks) {
        block = cma_aligned_alloc(alignment, size);
        ASSERT_NE(block, nullptr);
        FillPattern(block, cma_malloc_usable_size(block), KeyOfAddress(block));
      }

      for (void* block : blocks) {
        EXPECT_EQ(FindDamage(block, cma_malloc_usable_size(block), KeyOfAddress(block)), kIntact)
            << size << " bytes at " << alignment;
        cma_free(block);
      }
    }
  }
}

TEST(AlignedAllocTest, SeveralBlocksAtAGibibyteEachHaveTheirOwn) {
  if (kHasShadowMemory) GTEST_SKIP() << "the sanitizer leaves too little address space";
  void* const first = cma_aligned_alloc(kLargestAlignment, 100);
  void* const second = cma_aligned_alloc(kLargestAlignment, kGiB);

  EXPECT_TRUE(first != nullptr && IsAligned(first, kLargestAlignment));
  EXPECT_TRUE(second != nullptr && IsAligned(second, kLargestAlignment));
  EXPECT_NE(first, second);
  cma_free(first);
  cma_free(second);
}

TEST(AlignedAllocTest, AnAlignmentThatIsNoPowerOfTwoFailsWithEinval) {
  for (const size_t alignment : {size_t{0}, size_t{3}, size_t{6}, size_t{12}, size_t{24},
                                 size_t{100}, size_t{4097}, SIZE_MAX, SIZE_MAX - 1}) {
    errno = 0;

    void* const block = cma_aligned_alloc(Opaque(alignment), 64);

    EXPECT_EQ(block, nullptr) << alignment;
    EXPECT_EQ(errno, EINVAL) << alignment;
  }
}

TEST(AlignedAllocTest, AnImpossibleSizeOrAlignmentFailsWithEnomem) {
  const size_t pairs[][2] = {{64, SIZE_MAX},
                             {64, SIZE_MAX - 64},
                             {4096, SIZE_MAX - 4096},
                             {4096, size_t{PTRDIFF_MAX} + 1},
                             {64, size_t{1} << 47},
                             {size_t{1} << 62, 64},
                             {size_t{1} << 63, 64},
                             {size_t{1} << 63, SIZE_MAX},
                             {size_t{1} << 62, size_t{PTRDIFF_MAX}}};
  for (const auto& [alignment, size] : pairs) {
    errno = 0;

    void* const block = cma_aligned_alloc(Opaque(alignment), Opaque(size));

    EXPECT_EQ(block, nullptr) << size << " bytes at " << alignment;
    EXPECT_EQ(errno, ENOMEM) << size << " bytes at " << alignment;
  }
}

TEST(AlignedAllocTest, SmallAlignmentsWasteLittle) {
  for (const size_t size : {64, 256, 512, 1024, 4096}) {
    void* const block = cma_aligned_alloc(size, size);

    EXPECT_LE(cma_malloc_usable_size(block), size + size / 8 + 16) << size << " bytes";
    cma_free(block);
  }
}

TEST(MemalignTest, AnAlignmentIsRoundedUpToAPowerOfTwo) {
  for (const size_t alignment : {0, 1, 3, 7, 17, 24, 33, 100, 1000, 3000, 5000, 70000}) {
    void* const block = cma_memalign(alignment, 100);

    ASSERT_NE(block, nullptr) << alignment;
    EXPECT_TRUE(IsAligned(block, std::bit_ceil(alignment < 16 ? size_t{16} : alignment)));
    cma_free(block);
  }
}

TEST(MemalignTest, AnAlignmentThatCannotBeRoundedUpFails) {
  errno = 0;

  void* const block = cma_memalign(Opaque(SIZE_MAX), 100);

  EXPECT_EQ(block, nullptr);
  EXPECT_TRUE(errno == EINVAL || errno == ENOMEM) << errno;
}

TEST(PosixMemalignTest, StoresAnAlignedBlock) {
  for (size_t alignment = sizeof(void*); alignment <= kMiB; alignment *= 2) {
    void* block = nullptr;

    const int result = cma_posix_memalign(&block, alignment, 300);

    EXPECT_EQ(result, 0) << alignment;
    EXPECT_TRUE(block != nullptr && IsAligned(block, alignment)) << alignment;
    cma_free(block);
  }
}

TEST(PosixMemalignTest, ABadAlignmentIsRefusedAndNothingElseChanges) {
  for (const size_t alignment : {size_t{0}, size_t{1}, size_t{2}, size_t{4}, size_t{7}, size_t{12},
                                 size_t{24}, size_t{40}, SIZE_MAX}) {
    int before;
    void* result = &before;
    errno = ERANGE;

    const int status = cma_posix_memalign(&result, Opaque(alignment), 64);

    EXPECT_EQ(status, EINVAL) << alignment;
    EXPECT_EQ(result, &before) << alignment;
    EXPECT_EQ(errno, ERANGE) << alignment;
  }
}

TEST(PosixMemalignTest, AnImpossibleSizeIsRefusedAndNothingElseChanges) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 64, size_t{PTRDIFF_MAX} + 1, size_t{1} << 47}) {
    int before;
    void* result = &before;
    errno = ERANGE;

    const int status = cma_posix_memalign(&result, 64, Opaque(size));

    EXPECT_EQ(status, ENOMEM) << size;
    EXPECT_EQ(result, &before) << size;
    EXPECT_EQ(errno, ERANGE) << size;
  }
}

TEST(PosixMemalignTest, SuccessKeepsErrno) {
  for (const size_t size : {100, 5000, 200000, 3000000}) {
    void* block = nullptr;
    errno = ERANGE;

    EXPECT_EQ(cma_posix_memalign(&block, 4096, size), 0);

    EXPECT_EQ(errno, ERANGE) << size << " bytes";
    cma_free(block);
  }
}

class PageTest : public testing::Test {
 protected:
  const size_t page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
};

TEST_F(PageTest, VallocAlignsToThePage) {
  for (const size_t size : {size_t{0}, size_t{1}, page_ - 1, page_, page_ + 1, 3 * kMiB}) {
    void* const block = cma_valloc(size);

    EXPECT_TRUE(block != nullptr && IsAligned(block, page_)) << size << " bytes";
    EXPECT_GE(cma_malloc_usable_size(block), size);
    cma_free(block);
  }
}

TEST_F(PageTest, PvallocGivesWholePages) {
  for (const size_t size : {size_t{1}, page_ - 1, page_, page_ + 1, 3 * kMiB + 1}) {
    const size_t whole = (size + page_ - 1) / page_ * page_;

    void* const block = cma_pvalloc(size);

    ASSERT_TRUE(block != nullptr && IsAligned(block, page_)) << size << " bytes";
    EXPECT_GE(cma_malloc_usable_size(block), whole) << size << " bytes";
    FillPattern(block, whole, 1);
    cma_free(block);
  }
}

TEST_F(PageTest, PvallocOfNothingGivesABlock) {
  void* const block = cma_pvalloc(0);

  EXPECT_TRUE(block != nullptr && IsAligned(block, page_));
  cma_free(block);
}

TEST_F(PageTest, ImpossibleSizesFailWithEnomem) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - page_ + 2, size_t{PTRDIFF_MAX} + 1}) {
    errno = 0;
    EXPECT_EQ(cma_valloc(Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;

    errno = 0;
    EXPECT_EQ(cma_pvalloc(Opaque(size)), nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
  }
}

}  // namespace
