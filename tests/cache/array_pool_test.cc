#include "cache/array_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "support/fake_os.h"

namespace cma {
namespace {

using cma_test::FakeOs;

class ArrayPoolTest : public testing::Test {
 protected:
  FakeOs os_;
  Metadata metadata_{os_.ops()};
  ArrayPool pool_;
};

TEST_F(ArrayPoolTest, ArraysOfAllSizesAreApart) {
  std::vector<std::pair<uintptr_t*, size_t>> arrays;
  for (size_t slots = 3; slots <= ArrayPool::kMaxSlots; slots += 11) {
    for (int i = 0; i < 3; ++i) arrays.emplace_back(pool_.Take(slots, metadata_), slots);
  }

  uintptr_t key = 0;
  for (const auto& [array, slots] : arrays) {
    ASSERT_NE(array, nullptr);
    std::fill_n(array, slots, ++key);
  }
  key = 0;
  for (const auto& [array, slots] : arrays) {
    EXPECT_EQ(std::count(array, array + slots, ++key), static_cast<std::ptrdiff_t>(slots));
  }
}

TEST_F(ArrayPoolTest, AnArrayThatWasGivenBackIsTakenAgain) {
  uintptr_t* const array = pool_.Take(30, metadata_);
  pool_.Take(30, metadata_);

  pool_.Give(array, 30);

  EXPECT_EQ(pool_.Take(30, metadata_), array);
}

TEST_F(ArrayPoolTest, LentMemoryIsUsedFirst) {
  alignas(64) std::byte lent[1024];
  pool_.Lend(lent, sizeof lent);

  for (int i = 0; i < 8; ++i) {
    const uintptr_t array = AddressOf(pool_.Take(16, metadata_));
    EXPECT_GE(array, AddressOf(lent));
    EXPECT_LE(array + 128, AddressOf(lent) + sizeof lent);
  }
  EXPECT_EQ(os_.calls(FakeOs::kMap), 0u);

  EXPECT_NE(pool_.Take(16, metadata_), nullptr);
  EXPECT_EQ(os_.calls(FakeOs::kMap), 1u);
}

TEST_F(ArrayPoolTest, TheSharedMetadataIsAskedForChunksOnly) {
  // Each takes 64 bytes of the 8 KiB that a chunk has.
  for (int i = 0; i < 100; ++i) ASSERT_NE(pool_.Take(8, metadata_), nullptr);

  const auto next = AddressOf(metadata_.Take(ArrayPool::kChunkBytes));
  const auto after = AddressOf(metadata_.Take(ArrayPool::kChunkBytes));
  EXPECT_EQ(after - next, ArrayPool::kChunkBytes);
  pool_.Clear(metadata_);
  // One chunk came back.
  EXPECT_EQ(AddressOf(metadata_.Take(ArrayPool::kChunkBytes)), next - ArrayPool::kChunkBytes);
  EXPECT_EQ(AddressOf(metadata_.Take(ArrayPool::kChunkBytes)), after + ArrayPool::kChunkBytes);
}

TEST_F(ArrayPoolTest, UsingAndClearingForEverNeedsNoMoreMemory) {
  const auto UseAndClear = [this] {
    for (int i = 0; i < 20; ++i) ASSERT_NE(pool_.Take(ArrayPool::kMaxSlots, metadata_), nullptr);
    pool_.Clear(metadata_);
  };
  UseAndClear();
  const size_t before = metadata_.mapped_bytes();

  for (int i = 0; i < 100; ++i) UseAndClear();

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(ArrayPoolTest, ARefusalIsNullAndTheNextTryWorks) {
  os_.Refuse(FakeOs::kMap);

  EXPECT_EQ(pool_.Take(8, metadata_), nullptr);

  EXPECT_NE(pool_.Take(8, metadata_), nullptr);
}

}  // namespace
}  // namespace cma
