// Huge blocks that are charged to an account, and resizing them where they are.
#include <gtest/gtest.h>

#include "base/constants.h"
#include "support/heap_fixture.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using Contents = HugeBlocks::Contents;

class HugeAccountTest : public cma_test::HeapFixture {
 protected:
  HugeAccountTest() { account_.Open(Account::kNoLimit); }

  // As a heap does it.
  std::byte* TakeCharged(size_t bytes) {
    EXPECT_TRUE(account_.ChargeHuge(bytes));
    return huge_.Take(bytes, 16, Contents::kAny, &account_);
  }

  Account account_;
};

TEST_F(HugeAccountTest, AFreeRefundsTheBlock) {
  std::byte* const block = TakeCharged(2 * kMiB);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(huge_.AccountOf(block), &account_);
  EXPECT_EQ(account_.huge(), 2 * kMiB);

  EXPECT_TRUE(huge_.Give(block));

  EXPECT_EQ(account_.live(), 0u);
  EXPECT_EQ(account_.huge(), 0u);
}

TEST_F(HugeAccountTest, ABlockFromTheCacheIsNotLongerThanWhatWasCharged) {
  ASSERT_TRUE(huge_.Give(huge_.Take(4 * kMiB + 32 * kKiB, 16, Contents::kAny)));

  std::byte* const block = TakeCharged(4 * kMiB);

  EXPECT_EQ(huge_.BytesOf(block), 4 * kMiB);
  EXPECT_TRUE(huge_.Give(block));
  EXPECT_EQ(account_.live(), 0u);
}

TEST_F(HugeAccountTest, ABlockThatCannotBeCutIsNotCharged) {
  ASSERT_TRUE(huge_.Give(huge_.Take(4 * kMiB + 32 * kKiB, 16, Contents::kAny)));
  // No memory for the descriptor of the block or the rest, and the rest cannot be unmapped.
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(64) != nullptr) {
  }
  os_.RefuseEvery(FakeOs::kUnmap);

  EXPECT_EQ(TakeCharged(4 * kMiB), nullptr);
  os_.RefuseNothing();

  EXPECT_EQ(huge_.live_bytes(), 0u);
  EXPECT_EQ(huge_.returned_bytes(), 4 * kMiB + 32 * kKiB) << "before a new mapping was given up";
}

TEST_F(HugeAccountTest, ABlockThatIsTakenAgainIsNobodysUnlessSaidSo) {
  ASSERT_TRUE(huge_.Give(TakeCharged(2 * kMiB)));

  std::byte* const block = huge_.Take(2 * kMiB, 16, Contents::kAny);

  EXPECT_EQ(huge_.AccountOf(block), nullptr);
}

TEST_F(HugeAccountTest, GivingAllOfAnAccountLeavesTheOthers) {
  Account other;
  other.Open(Account::kNoLimit);
  std::byte* const plain = huge_.Take(2 * kMiB, 16, Contents::kAny);
  ASSERT_TRUE(other.ChargeHuge(3 * kMiB));
  std::byte* const others = huge_.Take(3 * kMiB, 16, Contents::kAny, &other);
  for (int i = 0; i < 40; ++i) ASSERT_NE(TakeCharged(2 * kMiB), nullptr);

  huge_.GiveAllOf(&account_);

  EXPECT_EQ(account_.live(), 0u);
  EXPECT_EQ(huge_.live_count(), 2u);
  EXPECT_EQ(huge_.BytesOf(plain), 2 * kMiB);
  EXPECT_EQ(huge_.BytesOf(others), 3 * kMiB);
}

TEST_F(HugeAccountTest, GivenBlocksAreRememberedForReports) {
  std::byte* const block = TakeCharged(2 * kMiB);

  huge_.GiveAllOf(&account_);

  EXPECT_TRUE(huge_.WasFreed(block + 100));
}

TEST_F(HugeAccountTest, ResizingInPlaceShrinks) {
  std::byte* const block = TakeCharged(8 * kMiB);

  EXPECT_EQ(huge_.ResizeInPlace(block, 3 * kMiB), 3 * kMiB);

  EXPECT_EQ(huge_.BytesOf(block), 3 * kMiB);
  EXPECT_EQ(huge_.AccountOf(block), &account_);
}

TEST_F(HugeAccountTest, ResizingInPlaceNeverMoves) {
  std::byte* const block = TakeCharged(2 * kMiB);
  os_.RefuseEvery(FakeOs::kResize);

  EXPECT_EQ(huge_.ResizeInPlace(block, 64 * kMiB), 2 * kMiB);

  EXPECT_EQ(huge_.BytesOf(block), 2 * kMiB);
  EXPECT_EQ(os_.calls(FakeOs::kMove), 0u);
}

TEST_F(HugeAccountTest, ResizingWhatIsNoBlockSaysSo) {
  std::byte no_block;

  EXPECT_EQ(huge_.ResizeInPlace(&no_block, kMiB), 0u);
}

}  // namespace
}  // namespace cma
