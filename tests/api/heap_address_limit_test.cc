// The heaps of <cma/cma.h> where address space is limited: no room for the unit map, so free() finds
// the owner of a block in another way; and mmap that fails.
//
// cma-test: not=address,thread
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <vector>

#include "cma/cma.h"
#include "support/interesting_sizes.h"
#include "support/live_bytes.h"
#include "support/opaque.h"
#include "support/pattern.h"

namespace {

using namespace cma_test;

class HeapAddressLimitTest : public testing::Test {
 protected:
  // Before cma's first allocation: GoogleTest uses the C library's malloc.
  static void SetUpTestSuite() {
    const rlimit limit = {1 * kGiB, 1 * kGiB};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  }

  HeapAddressLimitTest() : heap_(cma_heap_create("limited", 0)) {}
  ~HeapAddressLimitTest() override { cma_heap_destroy(heap_); }

  cma_heap* heap_;
};

TEST_F(HeapAddressLimitTest, BlocksOfEverySizeComeAndGo) {
  for (const size_t size : InterestingSizes(4 * kMiB)) {
    void* block = cma_heap_malloc(heap_, size);
    ASSERT_NE(block, nullptr) << size;
    EXPECT_EQ(HeapStats(heap_).live_bytes, cma_malloc_usable_size(block));
    FillPattern(block, size, 1);
    block = cma_realloc(block, size + 100);
    EXPECT_EQ(FindDamage(block, size / 8 * 8, 1), kIntact);
    EXPECT_EQ(cma_heap_of(block), heap_);
    cma_free(block);
    EXPECT_EQ(HeapStats(heap_).live_bytes, 0u) << size;
  }
}

TEST_F(HeapAddressLimitTest, WhenTheOsRefusesTheHeapStaysUsable) {
  for (const size_t size : {size_t{900}, size_t{20'000}, 600 * kKiB, 8 * kMiB}) {
    cma_heap* const heap = cma_heap_create("greedy", 0);
    size_t count = 0;
    std::vector<void*> blocks(2'000'000);
    for (;; ++count) {
      errno = 0;
      void* const block = cma_heap_malloc(heap, size);
      if (block == nullptr) break;
      blocks[count] = block;
    }
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(HeapStats(heap).refusals, 0u) << "it was not the limit";
    EXPECT_GE(count * size, 500 * kMiB);

    cma_free(blocks[0]);
    EXPECT_NE(cma_heap_malloc(heap, size), nullptr) << size;
    cma_heap_destroy(heap);
  }
  void* const after = cma_malloc(300 * kMiB);
  EXPECT_NE(after, nullptr) << "everything has come back";
  cma_free(after);
}

TEST_F(HeapAddressLimitTest, ADoubleFreeIsReported) {
  void* const block = cma_heap_malloc(heap_, 100);
  void* const stays = cma_heap_malloc(heap_, 100);

  EXPECT_EXIT((cma_free(block), cma_free(Opaque(block))), testing::KilledBySignal(SIGABRT),
              "^cma: double free of 0x[0-9a-f]+");
  cma_free(stays);
}

}  // namespace
