#include "arena/block_list.h"

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
  bool ListIsFull() const { return IsFull(list_); }
  void Push(uintptr_t block) { cma::Push(&list_, 0, block, kKey); }
  uintptr_t Pop() { return cma::Pop(&list_, 0); }

  struct alignas(16) Memory {
    uint64_t words[4] = {11, 12, 13, 14};
  };
  Memory blocks_[4];
  uintptr_t slots_[6] = {kBottomMark};
  BlockList list_{slots_ + 1};
};

TEST_F(BlockListTest, TheLastBlockPushedIsTheFirstPopped) {
  for (size_t i = 0; i < 3; ++i) Push(Block(i));

  EXPECT_EQ(Pop(), Block(2));
  EXPECT_EQ(Pop(), Block(1));
  Push(Block(3));
  EXPECT_EQ(Pop(), Block(3));
  EXPECT_EQ(Pop(), Block(0));
}

TEST_F(BlockListTest, AnEmptyListPopsTheBottomMarkForEver) {
  Push(Block(0));
  Pop();

  EXPECT_EQ(Pop(), kBottomMark);
  EXPECT_EQ(Pop(), kBottomMark);
  EXPECT_EQ(list_, slots_ + 1);
}

TEST_F(BlockListTest, AListIsFullWhenItHoldsItsCapacity) {
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(ListIsFull());
    Push(Block(i));
  }

  EXPECT_TRUE(ListIsFull());
  Pop();
  EXPECT_FALSE(ListIsFull());
}

TEST_F(BlockListTest, ABlockCarriesTheKeyExactlyWhileItIsInTheList) {
  Push(Block(0));
  EXPECT_EQ(KeyOf(Block(0)), kKey);

  Pop();

  EXPECT_EQ(KeyOf(Block(0)), 0u);
}

TEST_F(BlockListTest, OnlyTheSecondWordOfABlockIsWritten) {
  Push(Block(0));
  Pop();

  EXPECT_EQ(blocks_[0].words[0], 11u);
  EXPECT_EQ(blocks_[0].words[2], 13u);
  EXPECT_EQ(blocks_[0].words[3], 14u);
}

TEST(ThreadCacheLayoutTest, ListsThatAreNotInUseAreEmptyAndFullAtOnce) {
  const auto cache = std::make_unique<ThreadCache>();

  for (SizeClass c = 0; c < kSizeClasses; ++c) {
    EXPECT_EQ(cache->depth(c), 0u);
    EXPECT_EQ(Pop(cache->lists.data(), c), kBottomMark);
    EXPECT_TRUE(IsFull(cache->lists[c]));
  }
}

TEST(ThreadCacheLayoutTest, ACacheWithoutAnArenaOwnsNoBlock) {
  const auto cache = std::make_unique<ThreadCache>();

  for (size_t arena = 0; arena < kMaxArenas; ++arena) {
    const uint32_t unit = AddressMap::OwnerTag(static_cast<ArenaId>(arena)) | 4;
    EXPECT_GT(unit ^ cache->owner_tag, 0xffffu);
  }
  EXPECT_GT(0u ^ cache->owner_tag, 0xffffu);
}

TEST(ThreadCacheLayoutTest, TheCacheKnowsTheClassOfEverySizeOfItsTable) {
  const auto cache = std::make_unique<ThreadCache>();

  for (size_t size = 0; size <= kTableMax; ++size) {
    EXPECT_EQ(cache->class_of[size], ClassOf(size)) << size;
  }
}

TEST(ListArrayTest, OneThatIsNotInUseIsEmpty) {
  const ListArray array;

  EXPECT_EQ(array.capacity(), 0u);
  EXPECT_EQ(array.DepthOf(g_no_slots + 1), 0u);
}

TEST(ListArrayTest, ItKnowsItsArrayAndTheDepthAtTheLastSweep) {
  for (const size_t capacity :
       {size_t{1}, size_t{2}, size_t{3}, size_t{6}, size_t{14}, size_t{254}}) {
    uintptr_t slots[256];
    ListArray array(slots, capacity);
    array.NoteDepth(capacity);

    EXPECT_EQ(array.slots(), slots);
    EXPECT_EQ(array.capacity(), capacity);
    EXPECT_EQ(array.depth_at_sweep(), capacity);
    EXPECT_EQ(array.DepthOf(slots + 1 + capacity), capacity);
  }
}

}  // namespace
}  // namespace cma
