#include "central/dense_writes.h"

#include <gtest/gtest.h>
#include <string.h>

#include "base/constants.h"
#include "support/fake_os.h"
#include "support/pages.h"
#include "support/scoped_options.h"

namespace cma {
namespace {

class DenseWritesTest : public testing::Test {
 protected:
  static constexpr size_t kBlockBytes = 64 * kKiB;
  static constexpr int kBlocks = 128;

  enum class Writes { kAll, kOneByte };

  static void Write(std::byte* block, Writes writes) {
    const size_t bytes = writes == Writes::kAll ? kBlockBytes : 1;
    for (size_t i = 0; i < bytes; i += OsPageBytes()) block[i] = std::byte{1};
  }

  std::byte* NextBlock() { return memory_ + kBlockBytes * static_cast<size_t>(next_++); }

  bool Expected(std::byte* block) { return dense_.ExpectedOf(os_.ops(), block, kBlockBytes); }

  // Of so many blocks, each written before the next one comes, how many were expected to be.
  int CountExpected(int blocks, Writes writes) {
    int expected = 0;
    for (int i = 0; i < blocks; ++i) {
      std::byte* const block = NextBlock();
      if (Expected(block)) ++expected;
      Write(block, writes);
    }
    return expected;
  }

  cma_test::FakeOs os_;
  DenseWrites dense_;
  std::byte* const memory_ = os_.ops().map(kBlocks * kBlockBytes);
  int next_ = 0;
};

TEST_F(DenseWritesTest, NothingIsExpectedBeforeTwoBlocksWereWritten) {
  EXPECT_EQ(CountExpected(2, Writes::kAll), 0);
  EXPECT_EQ(CountExpected(1, Writes::kAll), 1);
}

TEST_F(DenseWritesTest, WhoWritesOneByteIsNeverExpectedToWriteAll) {
  EXPECT_EQ(CountExpected(kBlocks, Writes::kOneByte), 0);
}

TEST_F(DenseWritesTest, AByteOfEachPageIsEnough) {
  for (size_t bytes = DenseWrites::kMoreThan + 16; bytes <= 32 * kKiB; bytes += 1008) {
    DenseWrites dense;
    int expected = 0;
    for (int i = 0; i < 3; ++i) {
      std::byte* const block = memory_ + 48 + i * 64 * kKiB;
      memset(block, 0, 64 * kKiB - 48);
      if (dense.ExpectedOf(os_.ops(), block, bytes)) ++expected;
      // As much as a block of so many bytes is taken for at least.
      for (size_t at = 0; at < bytes - bytes / 8; at += 4 * kKiB) block[at] = std::byte{1};
    }
    EXPECT_EQ(expected, 1) << bytes;
  }
}

TEST_F(DenseWritesTest, FewBlocksAreLeftToWhoWritesAll) {
  const int expected = CountExpected(kBlocks, Writes::kAll);

  EXPECT_LT(expected, kBlocks - 6) << "then nothing would be noticed any more";
  EXPECT_GT(expected, kBlocks - 16);
}

TEST_F(DenseWritesTest, WhoStopsWritingAllIsFoundOut) {
  ASSERT_GT(CountExpected(40, Writes::kAll), 30);

  CountExpected(50, Writes::kOneByte);

  EXPECT_EQ(CountExpected(kBlocks - 90, Writes::kOneByte), 0);
}

TEST_F(DenseWritesTest, ABlockThatIsWrittenAFewBlocksLaterCounts) {
  std::byte* blocks[16];
  int expected = 0;
  for (int i = 0; i < 16; ++i) {
    blocks[i] = NextBlock();
    if (Expected(blocks[i])) ++expected;
    if (i >= 3) Write(blocks[i - 3], Writes::kAll);
  }

  EXPECT_GT(expected, 0);
}

TEST_F(DenseWritesTest, MemoryThatGoesTellsNothingThatWasNotWritten) {
  std::byte* const block = NextBlock();
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Expected(block)) << i;
    Write(block, Writes::kOneByte);
    dense_.Settle(os_.ops(), block, kBlockBytes);
    ASSERT_TRUE(os_.ops().decommit(block, kBlockBytes, false));
  }
}

TEST_F(DenseWritesTest, MemoryThatGoesAfterItWasWrittenCounts) {
  std::byte* const block = NextBlock();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(Expected(block));
    Write(block, Writes::kAll);
    dense_.Settle(os_.ops(), block, kBlockBytes);
    ASSERT_TRUE(os_.ops().decommit(block, kBlockBytes, false));
  }
  EXPECT_TRUE(Expected(block));
}

TEST_F(DenseWritesTest, WhatIsClearedWhenItIsFreedWasNotWritten) {
  const cma_test::ScopedOptions options;
  g_options.zero_on_free = 1;
  std::byte* const block = NextBlock();
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Expected(block)) << i;
    memset(block, 0, kBlockBytes);
  }
}

TEST_F(DenseWritesTest, FewPagesAreMarkedWhereBlocksAreNotWritten) {
  CountExpected(kBlocks, Writes::kOneByte);

  EXPECT_LE(cma_test::CountPagesWithMemory(memory_, kBlocks * kBlockBytes), kBlocks + 4);
}

TEST_F(DenseWritesTest, SizesAreApart) {
  ASSERT_EQ(CountExpected(3, Writes::kAll), 1);

  EXPECT_FALSE(dense_.ExpectedOf(os_.ops(), NextBlock(), kBlockBytes / 2));
  EXPECT_TRUE(Expected(NextBlock()));
}

TEST_F(DenseWritesTest, EverySizeHasAPlace) {
  std::byte* const block = os_.ops().map(2 * kGiB);
  ASSERT_NE(block, nullptr);
  for (size_t bytes = 2 * kGiB; bytes > DenseWrites::kMoreThan; bytes = bytes / 2 + 1) {
    EXPECT_FALSE(dense_.ExpectedOf(os_.ops(), block, bytes)) << bytes;
  }
}

}  // namespace
}  // namespace cma
