#include "central/account.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace cma {
namespace {

TEST(AccountTest, ChargesUpToTheLimitAndNotAByteMore) {
  Account account;
  account.Open(1000);

  EXPECT_TRUE(account.Charge(600));
  EXPECT_FALSE(account.Charge(401));
  EXPECT_TRUE(account.Charge(400));

  EXPECT_EQ(account.live(), 1000u);
}

TEST(AccountTest, RefundedBytesCanBeChargedAgain) {
  Account account;
  account.Open(100);
  ASSERT_TRUE(account.Charge(100));

  account.Refund(60);

  EXPECT_FALSE(account.Charge(61));
  EXPECT_TRUE(account.Charge(60));
}

TEST(AccountTest, ThePeakIsTheMostThatWasLive) {
  Account account;
  account.Open(Account::kNoLimit);
  ASSERT_TRUE(account.Charge(500));
  account.Refund(300);
  ASSERT_TRUE(account.Charge(100));

  EXPECT_EQ(account.live(), 300u);
  EXPECT_EQ(account.peak(), 500u);
}

TEST(AccountTest, AHugeBlockCountsForThePeakWhenItIsThere) {
  Account account;
  account.Open(Account::kNoLimit);
  ASSERT_TRUE(account.ChargeHuge(500));
  EXPECT_EQ(account.peak(), 0u);

  account.NotePeak();
  account.RefundHuge(300);

  EXPECT_EQ(account.peak(), 500u);
}

TEST(AccountTest, RefusalsAreCountedByTheCaller) {
  Account account;
  account.Open(100);
  EXPECT_FALSE(account.Charge(101));
  EXPECT_EQ(account.refusals(), 0u);

  account.NoteRefusal();

  EXPECT_EQ(account.refusals(), 1u);
}

TEST(AccountTest, NoSizeIsTooLargeToBeRefused) {
  Account account;
  account.Open(Account::kNoLimit);
  ASSERT_TRUE(account.Charge(10));

  EXPECT_FALSE(account.Charge(SIZE_MAX));
  EXPECT_EQ(account.live(), 10u);
}

TEST(AccountTest, HugeBlocksCountAgainstTheSameLimit) {
  Account account;
  account.Open(1000);
  ASSERT_TRUE(account.Charge(400));

  EXPECT_TRUE(account.ChargeHuge(500));
  EXPECT_FALSE(account.ChargeHuge(101));
  EXPECT_FALSE(account.Charge(101));
  EXPECT_EQ(account.live(), 900u);
  EXPECT_EQ(account.huge(), 500u);
  account.RefundHuge(500);

  EXPECT_TRUE(account.Charge(600));
  EXPECT_EQ(account.peak(), 1000u);
}

TEST(AccountTest, HugeBlocksMayBeRefundedByOtherThreads) {
  Account account;
  account.Open(1000);
  std::vector<std::thread> threads;
  ASSERT_TRUE(account.ChargeHuge(900));
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) account.RefundHuge(1);
    });
  }
  size_t most = 0;
  for (int i = 0; i < 10000; ++i) {
    if (!account.Charge(100)) continue;
    most = std::max(most, account.live());
    account.Refund(100);
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_LE(most, 1000u);
  EXPECT_EQ(account.live(), 0u);
}

TEST(AccountTest, OpeningStartsAnew) {
  Account account;
  account.Open(100);
  ASSERT_TRUE(account.Charge(50));
  account.NoteRefusal();

  account.Open(Account::kNoLimit);

  EXPECT_EQ(account.live(), 0u);
  EXPECT_EQ(account.peak(), 0u);
  EXPECT_EQ(account.refusals(), 0u);
  EXPECT_EQ(account.limit(), Account::kNoLimit);
}

}  // namespace
}  // namespace cma
