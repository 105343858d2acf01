#include "cache/block_list.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "cache/thread_cache.h"

namespace cma {
namespace {

constexpr uint64_t kKey = 0x1234567812345678;

// Blocks of 32 bytes in a list of four.
class BlockListTest : public testing::Test {
 protected:
  BlockListTest() { slots_[5] = kFullMark; }

  uintptr_t Block(size_t i) { return AddressOf(blocks_ + i); }
  bool IsFull() const { return *list_.top == kFullMark; }

  struct alignas(16) Memory {
    uint64_t words[4] = {11, 12, 13, 14};
  };
  Memory blocks_[4];
  uintptr_t slots_[6] = {kBottomMark};
  BlockList list_ = {Cursor(slots_ + 1), 0, 4, 0};
};

TEST_F(BlockListTest, TheLastBlockPushedIsTheFirstPopped) {
  for (size_t i = 0; i < 3; ++i) Push(list_, Block(i), kKey);

  EXPECT_EQ(Pop(list_), Block(2));
  EXPECT_EQ(Pop(list_), Block(1));
  Push(list_, Block(3), kKey);
  EXPECT_EQ(Pop(list_), Block(3));
  EXPECT_EQ(Pop(list_), Block(0));
}

TEST_F(BlockListTest, AnEmptyListPopsTheBottomMarkForEver) {
  Push(list_, Block(0), kKey);
  Pop(list_);

  EXPECT_EQ(Pop(list_), kBottomMark);
  EXPECT_EQ(Pop(list_), kBottomMark);
  EXPECT_EQ(list_.top, slots_ + 1);
}

TEST_F(BlockListTest, AListIsFullWhenItHoldsItsCapacity) {
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(IsFull());
    Push(list_, Block(i), kKey);
  }

  EXPECT_TRUE(IsFull());
  Pop(list_);
  EXPECT_FALSE(IsFull());
}

TEST_F(BlockListTest, ABlockCarriesTheKeyExactlyWhileItIsInTheList) {
  Push(list_, Block(0), kKey);
  EXPECT_EQ(KeyOf(Block(0)), kKey);

  Pop(list_);

  EXPECT_EQ(KeyOf(Block(0)), 0u);
}

TEST_F(BlockListTest, OnlyTheSecondWordOfABlockIsWritten) {
  Push(list_, Block(0), kKey);
  Pop(list_);

  EXPECT_EQ(blocks_[0].words[0], 11u);
  EXPECT_EQ(blocks_[0].words[2], 13u);
  EXPECT_EQ(blocks_[0].words[3], 14u);
}

TEST(ThreadCacheLayoutTest, ListsThatAreNotInUseAreEmptyAndFullAtOnce) {
  const auto cache = std::make_unique<ThreadCache>();

  for (SizeClass c = 0; c < kSizeClasses; ++c) {
    EXPECT_EQ(cache->depth(c), 0u);
    EXPECT_EQ(Pop(cache->lists[c]), kBottomMark);
    EXPECT_EQ(*cache->lists[c].top, kFullMark);
  }
}

TEST(ThreadCacheLayoutTest, ACacheWithoutAnArenaOwnsNoBlock) {
  const auto cache = std::make_unique<ThreadCache>();

  for (size_t arena = 0; arena < kMaxArenas; ++arena) {
    const uint32_t unit = AddressMap::OwnerTag(static_cast<ArenaId>(arena)) | 64;
    EXPECT_GT(unit ^ cache->owner_tag(), kSmallMax);
  }
  EXPECT_GT(0u ^ cache->owner_tag(), kSmallMax);
}

TEST(ThreadCacheLayoutTest, ASmallListLiesAsFarInTheCacheAsItsBlocksAreLong) {
  const auto cache = std::make_unique<ThreadCache>();

  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    EXPECT_EQ(&SmallList(cache.get(), ClassBytes(c)), &cache->lists[c]);
  }
}

}  // namespace
}  // namespace cma
