// Faults with the heaps of <cma/cma.h>: one line and an abort, as with all blocks.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "cma/cma.h"
#include "support/long_delay.h"
#include "support/opaque.h"

namespace {

using cma_test::Opaque;
using testing::KilledBySignal;

class HeapMisuseDeathTest : public testing::TestWithParam<size_t> {
 protected:
  HeapMisuseDeathTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    heap_ = cma_heap_create("misused", 0);
  }

  char* Take() const {
    auto* const block = static_cast<char*>(cma_heap_malloc(heap_, GetParam()));
    memset(block, 0x5a, GetParam());
    return block;
  }

  cma_heap* heap_;
};

TEST_P(HeapMisuseDeathTest, ADoubleFreeIsReported) {
  char* const block = Take();

  EXPECT_EXIT((cma_free(block), cma_free(Opaque(block))), KilledBySignal(SIGABRT),
              "^cma: double free of 0x[0-9a-f]+");
}

TEST_P(HeapMisuseDeathTest, ADoubleFreeIsReportedEvenIfTheBlockWasWrittenTo) {
  char* const block = Take();

  EXPECT_EXIT((cma_free(block), memset(Opaque(block), 0, 16), cma_free(Opaque(block))),
              KilledBySignal(SIGABRT), "^cma: double free of 0x[0-9a-f]+");
}

TEST_P(HeapMisuseDeathTest, ADoubleFreeByAnotherThreadIsReported) {
  char* const block = Take();
  const auto fault = [block] {
    std::thread([block] { cma_free(block); }).join();
    cma_free(Opaque(block));
  };

  EXPECT_EXIT(fault(), KilledBySignal(SIGABRT), "^cma: double free of 0x[0-9a-f]+");
}

TEST_P(HeapMisuseDeathTest, APointerIntoABlockIsReported) {
  char* const block = Take();

  EXPECT_EXIT(cma_free(Opaque(block + 8)), KilledBySignal(SIGABRT),
              "^cma: invalid free of 0x[0-9a-f]+.*not the start of a block");
}

TEST_P(HeapMisuseDeathTest, AFreeAfterTheHeapIsGoneIsReported) {
  char* const block = Take();

  EXPECT_EXIT((cma_heap_destroy(heap_), cma_free(Opaque(block))), KilledBySignal(SIGABRT),
              "^cma: double free of 0x[0-9a-f]+");
}

TEST_P(HeapMisuseDeathTest, AFreeAfterTheHeapsMemoryIsGoneIsReported) {
  char* const block = Take();

  EXPECT_EXIT((cma_heap_destroy(heap_), cma_release(), cma_free(Opaque(block))),
              KilledBySignal(SIGABRT), "^cma: (double|invalid) free of 0x[0-9a-f]+");
}

TEST_P(HeapMisuseDeathTest, OtherCallsWithAFreedBlockAreReported) {
  char* const block = Take();

  EXPECT_EXIT((cma_free(block), cma_realloc(Opaque(block), 10)), KilledBySignal(SIGABRT),
              "^cma: invalid realloc of 0x[0-9a-f]+");
  EXPECT_EXIT((cma_free(block), cma_malloc_usable_size(Opaque(block))), KilledBySignal(SIGABRT),
              "^cma: invalid malloc_usable_size of 0x[0-9a-f]+");
  EXPECT_EXIT((cma_free(block), cma_try_resize(Opaque(block), 10)), KilledBySignal(SIGABRT),
              "^cma: invalid resize of 0x[0-9a-f]+");
}

INSTANTIATE_TEST_SUITE_P(Sizes, HeapMisuseDeathTest,
                         testing::Values(64, 1024, 5000, 32768, 204800, 8388608),
                         [](const auto& size) { return std::to_string(size.param) + "_bytes"; });

TEST(WrongHeapDeathTest, AHeapThatIsGoneIsReported) {
  cma_heap* const heap = cma_heap_create("gone", 0);
  cma_heap_destroy(heap);
  constexpr char kReport[] = "^cma: invalid cma_heap_[a-z_]+ with heap 0x[0-9a-f]+: it is no live";

  EXPECT_EXIT(cma_heap_destroy(Opaque(heap)), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_heap_malloc(Opaque(heap), 10), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_heap_calloc(Opaque(heap), 1, 10), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_heap_realloc(Opaque(heap), nullptr, 10), KilledBySignal(SIGABRT), kReport);
  EXPECT_EXIT(cma_heap_aligned_alloc(Opaque(heap), 64, 10), KilledBySignal(SIGABRT), kReport);
  cma_heap_stats stats;
  EXPECT_EXIT(cma_heap_get_stats(Opaque(heap), &stats), KilledBySignal(SIGABRT), kReport);
}

TEST(WrongHeapDeathTest, NoHeapAtAllIsReported) {
  EXPECT_EXIT(cma_heap_malloc(nullptr, 10), KilledBySignal(SIGABRT),
              "^cma: invalid cma_heap_malloc with heap 0x0");
}

}  // namespace
