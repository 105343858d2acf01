#include "base/bits.h"

#include <gtest/gtest.h>

#include <set>

namespace cma {
namespace {

// Ends in the middle of a word, and has one word with neither its first nor its last bit.
constexpr size_t kBits = 150;
using Bits = BitSet<kBits>;

std::set<size_t> Members(const Bits& bits) {
  std::set<size_t> members;
  for (size_t i = 0; i < kBits; ++i) {
    if (bits.Test(i)) members.insert(i);
  }
  return members;
}

std::set<size_t> Between(size_t first, size_t last) {
  std::set<size_t> members;
  for (size_t i = first; i < last; ++i) members.insert(i);
  return members;
}

TEST(BitSetTest, AZeroInitialisedSetIsEmpty) {
  const Bits bits = {};

  EXPECT_TRUE(Members(bits).empty());
  EXPECT_EQ(bits.FindFrom(0), kBits);
}

TEST(BitSetTest, SettingABitLeavesAllOthersAlone) {
  for (size_t i = 0; i < kBits; ++i) {
    Bits bits = {};

    bits.Set(i);

    EXPECT_EQ(Members(bits), std::set<size_t>{i});
  }
}

TEST(BitSetTest, ClearingABitLeavesAllOthersAlone) {
  for (size_t i = 0; i < kBits; ++i) {
    Bits bits = {};
    bits.SetRange(0, kBits);

    bits.Clear(i);

    std::set<size_t> expected = Between(0, kBits);
    expected.erase(i);
    EXPECT_EQ(Members(bits), expected);
  }
}

TEST(BitSetTest, SetRangeSetsExactlyTheRange) {
  for (size_t first = 0; first <= kBits; ++first) {
    for (size_t last = first; last <= kBits; last += 7) {
      Bits bits = {};

      bits.SetRange(first, last);

      ASSERT_EQ(Members(bits), Between(first, last)) << first << " to " << last;
    }
  }
}

TEST(BitSetTest, ClearRangeClearsExactlyTheRange) {
  for (size_t first = 0; first <= kBits; ++first) {
    for (size_t last = first; last <= kBits; last += 7) {
      Bits bits = {};
      bits.SetRange(0, kBits);

      bits.ClearRange(first, last);

      std::set<size_t> expected = Between(0, first);
      expected.merge(Between(last, kBits));
      ASSERT_EQ(Members(bits), expected) << first << " to " << last;
    }
  }
}

TEST(BitSetTest, ARangeThatEndsBeforeItStartsIsEmpty) {
  Bits bits = {};

  bits.SetRange(70, 60);

  EXPECT_TRUE(Members(bits).empty());
  EXPECT_EQ(bits.CountRange(70, 60), 0u);
}

TEST(BitSetTest, CountRangeCountsWhatIsSetInTheRangeOnly) {
  Bits bits = {};
  for (size_t i = 0; i < kBits; i += 3) bits.Set(i);

  for (size_t first = 0; first <= kBits; ++first) {
    for (size_t last = first; last <= kBits; ++last) {
      size_t expected = 0;
      for (size_t i = first; i < last; ++i) expected += i % 3 == 0;
      ASSERT_EQ(bits.CountRange(first, last), expected) << first << " to " << last;
    }
  }
}

TEST(BitSetTest, FindFromFindsTheFirstBitAtOrAfterTheIndex) {
  Bits bits = {};
  for (const size_t i : {size_t{3}, size_t{63}, size_t{64}, size_t{140}}) bits.Set(i);

  EXPECT_EQ(bits.FindFrom(0), 3u);
  EXPECT_EQ(bits.FindFrom(3), 3u);
  EXPECT_EQ(bits.FindFrom(4), 63u);
  EXPECT_EQ(bits.FindFrom(64), 64u);
  EXPECT_EQ(bits.FindFrom(65), 140u);
}

TEST(BitSetTest, FindFromGivesTheSizeWhenNothingFollows) {
  Bits bits = {};
  bits.Set(100);

  EXPECT_EQ(bits.FindFrom(101), kBits);
  EXPECT_EQ(bits.FindFrom(kBits - 1), kBits);
  EXPECT_EQ(bits.FindFrom(kBits), kBits);
  EXPECT_EQ(bits.FindFrom(kBits + 1000), kBits);
}

TEST(BitSetTest, ASetOfWholeWordsFindsItsLastBit) {
  BitSet<128> bits = {};
  bits.Set(127);

  EXPECT_EQ(bits.FindFrom(0), 127u);
  EXPECT_EQ(bits.FindFrom(127), 127u);
}

}  // namespace
}  // namespace cma
