// cma_malloc() and cma_free(): what every block promises.
#include <errno.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

uintptr_t AddressOf(const void* block) { return reinterpret_cast<uintptr_t>(block); }

// Blocks of `size`, each filled with its own pattern.
std::vector<void*> FilledBlocks(size_t count, size_t size) {
  std::vector<void*> blocks(count);
  for (void*& block : blocks) {
    block = cma_malloc(size);
    if (block == nullptr) break;
    FillPattern(block, size, KeyOfAddress(block));
  }
  return blocks;
}

size_t CountDamaged(const std::vector<void*>& blocks, size_t size) {
  size_t damaged = 0;
  for (const void* block : blocks) {
    damaged += block == nullptr || FindDamage(block, size, KeyOfAddress(block)) != kIntact;
  }
  return damaged;
}

void FreeAll(const std::vector<void*>& blocks) {
  for (void* block : blocks) cma_free(block);
}

TEST(MallocTest, SizeZeroGivesUniqueBlocksThatCanBeFreed) {
  std::set<void*> blocks;

  for (int i = 0; i < 1000; ++i) blocks.insert(cma_malloc(0));

  EXPECT_EQ(blocks.size(), 1000u);
  EXPECT_EQ(blocks.count(nullptr), 0u);
  for (void* block : blocks) cma_free(block);
}

TEST(MallocTest, EveryBlockIsAlignedTo16Bytes) {
  for (const size_t size : InterestingSizes(64 * kMiB + 1)) {
    void* const first = cma_malloc(size);
    void* const second = cma_malloc(size);

    EXPECT_EQ(AddressOf(first) % 16, 0u) << size << " bytes";
    EXPECT_EQ(AddressOf(second) % 16, 0u) << size << " bytes";
    cma_free(first);
    cma_free(second);
  }
}

TEST(MallocTest, BlocksOfOneSizeDoNotOverlap) {
  for (const size_t size : InterestingSizes(kMiB)) {
    const size_t count = size < 4 * kKiB ? 300 : 12;

    const std::vector<void*> blocks = FilledBlocks(count, size);

    EXPECT_EQ(CountDamaged(blocks, size), 0u) << size << " bytes";
    FreeAll(blocks);
  }
}

TEST(MallocTest, BlocksOfAllSizesDoNotOverlap) {
  const std::vector<size_t> sizes = InterestingSizes(8 * kMiB);
  std::vector<void*> blocks;

  for (const size_t size : sizes) blocks.push_back(FilledBlocks(1, size)[0]);

  for (size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(CountDamaged({blocks[i]}, sizes[i]), 0u) << sizes[i] << " bytes";
  }
  FreeAll(blocks);
}

TEST(MallocTest, ReusedBlocksDoNotOverlapTheOnesThatStayed) {
  constexpr size_t kCount = 2000;
  for (const size_t size : {16, 48, 160, 1024, 1040, 5000, 33000}) {
    std::vector<void*> blocks = FilledBlocks(kCount, size);
    for (size_t i = 0; i < kCount; i += 2) cma_free(blocks[i]);

    for (size_t i = 0; i < kCount; i += 2) blocks[i] = FilledBlocks(1, size)[0];

    EXPECT_EQ(CountDamaged(blocks, size), 0u) << size << " bytes";
    FreeAll(blocks);
  }
}

TEST(MallocTest, SizesAbovePtrdiffMaxFailWithEnomem) {
  for (const size_t size : {size_t{PTRDIFF_MAX} + 1, size_t{PTRDIFF_MAX} + 4096, SIZE_MAX - 4096,
                            SIZE_MAX - 15, SIZE_MAX - 1, SIZE_MAX}) {
    errno = 0;

    void* const block = cma_malloc(Opaque(size));

    EXPECT_EQ(block, nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
  }
}

TEST(MallocTest, SizesThatNoMachineHasFailWithEnomem) {
  for (const size_t size : {size_t{PTRDIFF_MAX}, size_t{PTRDIFF_MAX} - 4096, size_t{1} << 62,
                            size_t{1} << 48, size_t{1} << 47}) {
    errno = 0;

    void* const block = cma_malloc(Opaque(size));

    EXPECT_EQ(block, nullptr) << size;
    EXPECT_EQ(errno, ENOMEM) << size;
  }
}

TEST(MallocTest, TheHeapWorksAfterAFailure) {
  ASSERT_EQ(cma_malloc(Opaque(SIZE_MAX)), nullptr);
  ASSERT_EQ(cma_malloc(Opaque(size_t{1} << 47)), nullptr);

  const std::vector<void*> blocks = FilledBlocks(100, 2 * kMiB + 5);

  EXPECT_EQ(CountDamaged(blocks, 2 * kMiB + 5), 0u);
  FreeAll(blocks);
}

TEST(MallocTest, SuccessKeepsErrno) {
  for (const size_t size : InterestingSizes(64 * kMiB)) {
    errno = ERANGE;

    void* const block = cma_malloc(size);

    EXPECT_EQ(errno, ERANGE) << size << " bytes";
    cma_free(block);
  }
}

TEST(FreeTest, NullIsIgnored) {
  cma_free(nullptr);
  cma_free_sized(nullptr, 100);
  cma_free_aligned_sized(nullptr, 64, 100);
}

TEST(FreeTest, ErrnoIsKept) {
  for (const size_t size : InterestingSizes(64 * kMiB)) {
    void* const block = cma_malloc(size);
    errno = ERANGE;

    cma_free(block);

    EXPECT_EQ(errno, ERANGE) << size << " bytes";
  }
}

TEST(FreeTest, ErrnoIsKeptWhileManyBlocksGoBackToTheSystem) {
  const std::vector<void*> blocks = FilledBlocks(100000, 200);
  errno = ERANGE;

  FreeAll(blocks);

  EXPECT_EQ(errno, ERANGE);
}

TEST(FreeTest, SizedFreesTakeBlocksOfEverySize) {
  for (const size_t size : InterestingSizes(2 * kMiB)) {
    void* const block = cma_malloc(size);
    void* const aligned = cma_aligned_alloc(64, size);
    ASSERT_NE(block, nullptr);
    ASSERT_NE(aligned, nullptr);

    cma_free_sized(block, size);
    cma_free_aligned_sized(aligned, 64, size);
  }
}

TEST(FreeTest, AnotherThreadMayFree) {
  for (const size_t size : {16, 100, 1024, 5000, 200000, 3000000}) {
    const std::vector<void*> blocks = FilledBlocks(50, size);

    std::thread([&] {
      EXPECT_EQ(CountDamaged(blocks, size), 0u) << size << " bytes";
      FreeAll(blocks);
    }).join();

    const std::vector<void*> again = FilledBlocks(50, size);
    EXPECT_EQ(CountDamaged(again, size), 0u) << size << " bytes";
    FreeAll(again);
  }
}

TEST(FreeTest, BlocksOutliveTheThreadThatMadeThem) {
  std::vector<void*> blocks;

  std::thread([&] { blocks = FilledBlocks(10000, 120); }).join();

  EXPECT_EQ(CountDamaged(blocks, 120), 0u);
  FreeAll(blocks);
}

TEST(VersionTest, HasThreeNumbers) {
  int major = -1, minor = -1, patch = -1;

  const int numbers = sscanf(cma_version(), "%d.%d.%d", &major, &minor, &patch);

  EXPECT_EQ(numbers, 3) << cma_version();
  EXPECT_GE(major, 0);
}

}  // namespace
