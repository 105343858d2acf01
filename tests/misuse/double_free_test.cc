// A block that is freed twice is reported, whatever its size and whatever happened in between.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstring>
#include <thread>
#include <vector>

#include "cma/cma.h"
#include "support/long_delay.h"
#include "support/opaque.h"

namespace {

// One arena: a block of another arena that is home already is noticed when its arena opens the
// parcel, not in the call; tests/arena and tests/cache cover that. cma counts the CPUs when it is
// first called, after this.
const bool pinned = [] {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
  return sched_setaffinity(0, sizeof one, &one) == 0;
}();

using cma_test::Opaque;
using testing::KilledBySignal;

constexpr char kReport[] = "^cma: double free of 0x[0-9a-f]+";

class DoubleFreeTest : public testing::TestWithParam<size_t> {
 protected:
  // The test runs in a new process: whatever the heap did before has no part in it.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void* FilledBlock(size_t size) {
    void* const block = cma_malloc(size);
    memset(block, 0x5a, size);
    return block;
  }
};

using DoubleFreeDeathTest = DoubleFreeTest;

TEST_P(DoubleFreeDeathTest, IsReportedAtOnce) {
  void* const block = FilledBlock(GetParam());
  cma_free(block);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(DoubleFreeDeathTest, IsReportedAfterOtherBlocksWereFreed) {
  std::vector<void*> others;
  for (int i = 0; i < 10; ++i) others.push_back(FilledBlock(GetParam()));
  void* const block = FilledBlock(GetParam());
  for (int i = 0; i < 10; ++i) others.push_back(FilledBlock(GetParam()));
  cma_free(block);
  for (void* other : others) cma_free(other);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(DoubleFreeDeathTest, IsReportedWhileItsNeighboursAreInUse) {
  void* const left = FilledBlock(GetParam());
  void* const block = FilledBlock(GetParam());
  void* const right = FilledBlock(GetParam());
  cma_free(block);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);

  cma_free(left);
  cma_free(right);
}

TEST_P(DoubleFreeDeathTest, IsReportedIfAnotherThreadFreedFirst) {
  void* const block = FilledBlock(GetParam());
  std::thread([block] { cma_free(block); }).join();

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(DoubleFreeDeathTest, IsReportedIfAnotherThreadFreesSecond) {
  void* const block = FilledBlock(GetParam());
  cma_free(block);

  EXPECT_EXIT(std::thread([block] { cma_free(Opaque(block)); }).join(), KilledBySignal(SIGABRT),
              kReport);
}

TEST_P(DoubleFreeDeathTest, IsReportedIfTheOwnerHasEnded) {
  void* block = nullptr;
  std::thread([&] { block = FilledBlock(GetParam()); }).join();
  cma_free(block);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(DoubleFreeDeathTest, IsReportedAfterATrim) {
  void* const kept = FilledBlock(GetParam());
  void* const block = FilledBlock(GetParam());
  cma_free(block);
  cma_malloc_trim(0);

  // What the block was made of may be gone.
  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT),
              "^cma: (double|invalid) free of 0x[0-9a-f]+");

  cma_free(kept);
}

TEST_P(DoubleFreeDeathTest, IsReportedBySizedFree) {
  void* const block = FilledBlock(GetParam());
  cma_free_sized(block, GetParam());

  EXPECT_EXIT(cma_free_sized(Opaque(block), GetParam()), KilledBySignal(SIGABRT), kReport);
}

TEST_P(DoubleFreeDeathTest, IsReportedIfReallocFreedFirst) {
  void* const block = FilledBlock(GetParam());
  EXPECT_EQ(cma_realloc(block, 0), nullptr);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

INSTANTIATE_TEST_SUITE_P(Sizes, DoubleFreeDeathTest,
                         testing::Values(1, 16, 64, 200, 1024, 1040, 5000, 32768, 33000, 204800,
                                         1048576, 8388608),
                         [](const auto& size) { return std::to_string(size.param) + "_bytes"; });

// A large block of a length that is allocated again and again waits with the thread that freed it.
class KeptDoubleFreeDeathTest : public DoubleFreeTest {
 protected:
  void* KeptBlock() {
    for (int i = 0; i < 3; ++i) cma_free(FilledBlock(GetParam()));
    void* const block = FilledBlock(GetParam());
    cma_free(block);
    return block;
  }
};

TEST_P(KeptDoubleFreeDeathTest, IsReportedAtOnce) {
  void* const block = KeptBlock();

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(KeptDoubleFreeDeathTest, IsReportedEvenIfItsFirstWordsWereWrittenTo) {
  void* const block = KeptBlock();
  memset(Opaque(block), 0x77, 64);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(KeptDoubleFreeDeathTest, IsReportedIfAnotherThreadFreesSecond) {
  void* const block = KeptBlock();

  EXPECT_EXIT(std::thread([block, this] {
                KeptBlock();
                cma_free(Opaque(block));
              }).join(),
              KilledBySignal(SIGABRT), kReport);
}

TEST_P(KeptDoubleFreeDeathTest, IsReportedIfAThreadThatHasEndedFreedFirst) {
  void* block = nullptr;
  std::thread([&] { block = KeptBlock(); }).join();

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST_P(KeptDoubleFreeDeathTest, IsReportedByRealloc) {
  void* const block = KeptBlock();

  EXPECT_EXIT(cma_realloc(Opaque(block), 10), KilledBySignal(SIGABRT), "0x[0-9a-f]+");
}

INSTANTIATE_TEST_SUITE_P(Sizes, KeptDoubleFreeDeathTest,
                         testing::Values(33000, 100000, 131072, 600000, 1048576),
                         [](const auto& size) { return std::to_string(size.param) + "_bytes"; });

TEST(DoubleFreeLimitsDeathTest, ABlockOfSizeZeroIsReportedToo) {
  void* const block = cma_malloc(0);
  cma_free(block);

  EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport);
}

TEST(DoubleFreeLimitsDeathTest, AnAlignedBlockIsReportedToo) {
  for (const size_t alignment : {64, 4096, 65536, 4194304}) {
    void* const block = cma_aligned_alloc(alignment, 100);
    cma_free(block);

    EXPECT_EXIT(cma_free(Opaque(block)), KilledBySignal(SIGABRT), kReport) << alignment;
  }
}

TEST(DoubleFreeLimitsTest, FreeingABlockThatWasGivenOutAgainIsNoFault) {
  for (const size_t size : {16, 100, 5000, 200000, 8388608}) {
    for (int i = 0; i < 100; ++i) {
      void* const block = cma_malloc(size);
      memset(block, 0, size < 64 ? size : 64);
      cma_free(block);
    }
  }
}

TEST(DoubleFreeLimitsTest, BytesLeftFromAFreedBlockAreNotTakenForAFreedBlock) {
  // The second life of a block is freed without ever being written to.
  for (const size_t size : {16, 32, 100, 1024, 5000, 30000}) {
    for (int round = 0; round < 3; ++round) {
      std::vector<void*> blocks(3000);
      for (void*& block : blocks) block = cma_malloc(size);
      for (void* block : blocks) cma_free(block);
    }
  }
}

}  // namespace
