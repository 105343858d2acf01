#include "central/huge_table.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "central/account.h"
#include "support/heap_fixture.h"

namespace cma {
namespace {

// Never touched.
std::byte* AddressOfBlock(size_t i) {
  return reinterpret_cast<std::byte*>(uintptr_t{1} << 40) + i * 2 * kMiB;
}

class HugeTableTest : public cma_test::HeapFixture {
 protected:
  HugeTableTest() { EXPECT_TRUE(table_.Open(metadata_)); }

  static HugeBlock Block(size_t i, Account* account = nullptr) {
    HugeBlock block = {};
    block.start = AddressOfBlock(i);
    block.bytes = kMiB + i * 4 * kKiB;
    block.account = account;
    return block;
  }

  HugeTable table_;
};

TEST_F(HugeTableTest, BeforeItIsMadeNothingLives) {
  HugeTable table;

  EXPECT_FALSE(table.is_open());
  EXPECT_EQ(table.LeaveFreed(AddressOfBlock(0)), nullptr);
  EXPECT_EQ(table.LeaveMoved(AddressOfBlock(0)), nullptr);
  EXPECT_EQ(table.LeaveOneOf(nullptr, 0), nullptr);
  EXPECT_EQ(table.BytesOf(AddressOfBlock(0)), 0u);
  EXPECT_EQ(table.AccountOf(AddressOfBlock(0)), nullptr);
  EXPECT_EQ(table.BytesAround(AddressOfBlock(0)), 0u);
  EXPECT_FALSE(table.WasFreed(AddressOfBlock(0)));
  EXPECT_EQ(table.count(), 0u);
  os_.RefuseEvery(cma_test::FakeOs::kMap);
  EXPECT_FALSE(table.Open(metadata_));
}

// More than there are buckets, so that some share one.
TEST_F(HugeTableTest, FindsEachBlockByItsStart) {
  constexpr size_t kBlocks = 3 * HugeTable::kBuckets;
  std::vector<HugeBlock> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(Block(i));
  for (HugeBlock& block : blocks) table_.Enter(&block);
  EXPECT_EQ(table_.count(), kBlocks);

  for (size_t i = 0; i < kBlocks; i += 2) {
    ASSERT_EQ(table_.LeaveFreed(AddressOfBlock(i)), &blocks[i]);
  }
  for (size_t i = 0; i < kBlocks; ++i) {
    ASSERT_EQ(table_.BytesOf(AddressOfBlock(i)), i % 2 == 0 ? 0 : blocks[i].bytes);
  }
  EXPECT_EQ(table_.count(), kBlocks / 2);
}

TEST_F(HugeTableTest, OnlyWhatIsFreedIsRememberedAndRefunded) {
  Account account;
  account.Open(kGiB);
  HugeBlock block = Block(1, &account);
  ASSERT_TRUE(account.ChargeHuge(block.bytes));
  table_.Enter(&block);

  ASSERT_EQ(table_.LeaveMoved(block.start), &block);
  EXPECT_FALSE(table_.WasFreed(block.start));
  EXPECT_EQ(account.huge(), block.bytes);
  table_.Enter(&block);
  EXPECT_EQ(table_.AccountOf(block.start), &account);

  ASSERT_EQ(table_.LeaveFreed(block.start), &block);
  EXPECT_TRUE(table_.WasFreed(block.start));
  EXPECT_TRUE(table_.WasFreed(block.end() - 1));
  EXPECT_FALSE(table_.WasFreed(block.end()));
  EXPECT_EQ(account.huge(), 0u);
  EXPECT_EQ(block.account, nullptr);
}

TEST_F(HugeTableTest, TheLastFreedAreRemembered) {
  constexpr size_t kBlocks = 1000;
  constexpr size_t kRemembered = 12;  // in any case
  std::vector<HugeBlock> blocks;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(Block(i));
    blocks.back().bytes = kMiB;
  }
  for (HugeBlock& block : blocks) {
    table_.Enter(&block);
    ASSERT_EQ(table_.LeaveFreed(block.start), &block);
  }

  EXPECT_FALSE(table_.WasFreed(AddressOfBlock(0)));
  for (size_t i = kBlocks - kRemembered; i < kBlocks; ++i) {
    EXPECT_TRUE(table_.WasFreed(AddressOfBlock(i))) << i;
  }
}

TEST_F(HugeTableTest, TheBlocksOfAnAccountAreFound) {
  Account accounts[2];
  std::vector<HugeBlock> blocks;
  for (size_t i = 0; i < 100; ++i) blocks.push_back(Block(i, &accounts[i % 2]));
  for (Account& account : accounts) account.Open(kGiB);
  for (HugeBlock& block : blocks) {
    ASSERT_TRUE(block.account->ChargeHuge(block.bytes));
    table_.Enter(&block);
  }

  size_t found = 0;
  for (size_t bucket = 0; bucket < HugeTable::kBuckets; ++bucket) {
    while (HugeBlock* const block = table_.LeaveOneOf(&accounts[1], bucket)) {
      EXPECT_EQ((block - blocks.data()) % 2, 1);
      ++found;
    }
  }
  EXPECT_EQ(found, 50u);
  EXPECT_EQ(accounts[1].huge(), 0u);
  EXPECT_EQ(table_.count(), 50u);
}

TEST_F(HugeTableTest, CountsTheBytesOfAll) {
  HugeBlock blocks[] = {Block(1), Block(2)};
  for (HugeBlock& block : blocks) table_.Enter(&block);

  EXPECT_EQ(table_.CountBytes(), 2 * kMiB + 12 * kKiB);
}

// What a fork does, with a fork handler in between that makes the first block.
TEST_F(HugeTableTest, MayBeMadeWhileAForkHoldsItsLocks) {
  HugeTable table;
  HugeBlock block = Block(1);
  table.AcquireAllForFork();
  EnterForkWindow();
  ASSERT_TRUE(table.Open(metadata_));
  table.Enter(&block);
  LeaveForkWindow();
  table.ReleaseAllAfterFork();

  std::thread([&] { EXPECT_EQ(table.LeaveFreed(block.start), &block); }).join();
}

TEST_F(HugeTableTest, ThreadsLeaveEachBlockOnce) {
  constexpr size_t kBlocks = 500;
  std::vector<HugeBlock> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(Block(i));
  for (HugeBlock& block : blocks) table_.Enter(&block);
  std::vector<size_t> left(3);
  std::vector<std::thread> threads;
  for (size_t& mine : left) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < kBlocks; ++i) {
        HugeBlock* const block = table_.LeaveFreed(AddressOfBlock(i));
        if (block == nullptr) continue;
        ++block->rank;  // not atomic
        ++mine;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(left[0] + left[1] + left[2], kBlocks);
  for (const HugeBlock& block : blocks) ASSERT_EQ(block.rank, 1u);
  EXPECT_EQ(table_.count(), 0u);
}

}  // namespace
}  // namespace cma
