// The C library's allocation functions by their own names.
//
// cma-test: plain
#include <dlfcn.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "preload/cma_in_use.h"
#include "support/interesting_sizes.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

bool IsAligned(const void* block, size_t alignment) {
  return block != nullptr && reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

TEST(FamilyTest, EveryFunctionComesFromCma) {
  SKIP_WITHOUT_CMA();
  for (const char* name :
       {"malloc",         "calloc",        "realloc",        "free",
        "reallocarray",   "memalign",      "aligned_alloc",  "posix_memalign",
        "valloc",         "pvalloc",       "cfree",          "malloc_usable_size",
        "malloc_trim",    "mallinfo",      "mallinfo2",      "malloc_info",
        "malloc_stats",   "mallopt",       "free_sized",     "free_aligned_sized",
        "__libc_malloc",  "__libc_calloc", "__libc_realloc", "__libc_free",
        "__libc_memalign"}) {
    void* const function = dlsym(RTLD_DEFAULT, name);

    EXPECT_NE(FileOf(function).find("libcma"), std::string::npos)
        << name << " comes from " << FileOf(function);
  }
}

TEST(FamilyTest, BothNamesReachTheSameHeap) {
  SKIP_WITHOUT_CMA();
  auto* const prefixed_malloc = FindCma<decltype(cma_malloc)>("cma_malloc");
  auto* const prefixed_free = FindCma<decltype(cma_free)>("cma_free");
  for (const size_t size : {16, 1000, 5000, 200000, 8000000}) {
    free(prefixed_malloc(size));
    prefixed_free(malloc(size));
  }
}

TEST(FamilyTest, MallocOfZeroBytesGivesABlock) {
  void* const first = malloc(Opaque(size_t{0}));
  void* const second = malloc(Opaque(size_t{0}));

  EXPECT_NE(first, nullptr);
  EXPECT_NE(first, second);
  free(first);
  free(second);
}

TEST(FamilyTest, EveryFunctionGivesBlocksAlignedTo16) {
  for (const size_t size : InterestingSizes(2 * kMiB)) {
    void* blocks[] = {malloc(size),           calloc(1, size),
                      realloc(nullptr, size), reallocarray(nullptr, 1, size),
                      memalign(8, size),      aligned_alloc(16, size)};
    for (void* block : blocks) {
      EXPECT_TRUE(IsAligned(block, 16)) << size << " bytes";
      EXPECT_GE(malloc_usable_size(block), size);
      FillPattern(block, malloc_usable_size(block), KeyOfAddress(block));
    }
    for (void* block : blocks) {
      EXPECT_EQ(FindDamage(block, malloc_usable_size(block), KeyOfAddress(block)), kIntact);
      free(block);
    }
  }
}

TEST(FamilyTest, ReallocKeepsContentsAndReallocToZeroFrees) {
  void* block = nullptr;
  size_t last = 0;
  for (const size_t size : InterestingSizes(8 * kMiB)) {
    if (size == 0) continue;
    block = realloc(block, size);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(FindDamage(block, last / 8 * 8, 1), kIntact) << last << " to " << size << " bytes";
    FillPattern(block, size, 1);
    last = size;
  }

  EXPECT_EQ(realloc(block, Opaque(size_t{0})), nullptr);
}

TEST(FamilyTest, ImpossibleSizesFailWithEnomem) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 64, size_t{PTRDIFF_MAX} + 1}) {
    void* const block = malloc(10);
    const auto expect_failure = [&](const char* function, void* result) {
      EXPECT_EQ(result, nullptr) << function << " of " << size;
      EXPECT_EQ(errno, ENOMEM) << function << " of " << size;
      errno = 0;
    };
    errno = 0;
    expect_failure("malloc", malloc(Opaque(size)));
    expect_failure("calloc", calloc(Opaque(size), 1));
    expect_failure("calloc of pairs", calloc(Opaque(size / 2 + 1), 2));
    expect_failure("realloc", realloc(block, Opaque(size)));
    expect_failure("reallocarray", reallocarray(block, Opaque(size / 2 + 1), 4));
    expect_failure("memalign", memalign(64, Opaque(size)));
    expect_failure("aligned_alloc", aligned_alloc(64, Opaque(size)));
    expect_failure("valloc", valloc(Opaque(size)));
    expect_failure("pvalloc", pvalloc(Opaque(size)));
    free(block);
  }
}

TEST(FamilyTest, PosixMemalignKeepsItsRules) {
  void* block = nullptr;
  void* const before = &block;

  EXPECT_EQ(posix_memalign(&block, 4096, 100), 0);
  EXPECT_TRUE(IsAligned(block, 4096));
  free(block);
  block = before;
  EXPECT_EQ(posix_memalign(&block, Opaque(size_t{3}), 100), EINVAL);
  EXPECT_EQ(posix_memalign(&block, Opaque(size_t{4}), 100), EINVAL);
  EXPECT_EQ(posix_memalign(&block, 64, Opaque(SIZE_MAX)), ENOMEM);
  EXPECT_EQ(block, before);
}

TEST(FamilyTest, MemalignRoundsTheAlignmentUp) {
  for (const size_t alignment : {24, 100, 3000, 5000}) {
    void* const block = memalign(Opaque(alignment), 10);

    EXPECT_TRUE(IsAligned(block, alignment < 32 ? 32 : alignment < 128 ? 128 : 4096));
    free(block);
  }
}

TEST(FamilyTest, PageFunctionsAlignToThePage) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const block = valloc(100);
  void* const whole = pvalloc(100);

  EXPECT_TRUE(IsAligned(block, page));
  EXPECT_TRUE(IsAligned(whole, page));
  EXPECT_GE(malloc_usable_size(whole), page);
  free(block);
  free(whole);
}

TEST(FamilyTest, FreeKeepsErrno) {
  for (const size_t size : InterestingSizes(8 * kMiB)) {
    void* const block = malloc(size);
    errno = EXDEV;

    free(block);

    EXPECT_EQ(errno, EXDEV) << size << " bytes";
  }
}

TEST(FamilyTest, UsableSizeOfNullIsZero) { EXPECT_EQ(malloc_usable_size(nullptr), 0u); }

TEST(FamilyTest, TrimReturnsZeroOrOne) {
  const int result = malloc_trim(0);

  EXPECT_TRUE(result == 0 || result == 1) << result;
}

}  // namespace
