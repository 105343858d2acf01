#include "cache/outbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "support/arena_fixture.h"

namespace cma {
namespace {

using cma_test::FakeOs;

constexpr size_t kParcelBytes = 512 * kKiB;

// A thread of arena 0 sends blocks home to others.
class OutboxTest : public cma_test::ArenaFixture {
 protected:
  ~OutboxTest() override { outbox_.Close(arenas_, metadata_); }

  std::vector<std::byte*> TakeFrom(size_t owner, SizeClass c, size_t count) {
    Arena* const arena = arenas_.At(owner);
    std::vector<std::byte*> blocks(count);
    LockGuard guard(arena->lock());
    for (size_t n = 0; n < count;) n += arena->TakeBlocks(c, blocks.data() + n, count - n);
    // As a thread cache does for a block on its way to the program.
    for (std::byte* block : blocks) reinterpret_cast<uint64_t*>(block)[1] = 0;
    return blocks;
  }

  bool Add(std::byte* block, size_t bytes, size_t owner) {
    return outbox_.Add(AddressOf(block), bytes, static_cast<uint16_t>(owner), home_, arenas_,
                       metadata_);
  }

  void AddAll(const std::vector<std::byte*>& blocks, size_t bytes, size_t owner) {
    for (std::byte* block : blocks) ASSERT_TRUE(Add(block, bytes, owner));
  }

  size_t LentBytes(size_t owner) {
    Arena* const arena = arenas_.Existing(owner);
    LockGuard guard(arena->lock());
    arena->DrainInbox();
    const ArenaStats stats = arena->Stats();
    return stats.small_lent_bytes + stats.run_lent_bytes;
  }

  bool HasPost(size_t owner) const { return arenas_.Existing(owner)->HasPost(); }

  Arena* const home_ = &arena_;
  Outbox outbox_;
};

TEST_F(OutboxTest, DeliveredBlocksAreTakenInAtOnceUnlessTheArenaIsBusy) {
  AddAll(TakeFrom(1, ClassOf(64), 10), 64, 1);
  AddAll(TakeFrom(2, ClassOf(64), 10), 64, 2);
  EXPECT_TRUE(outbox_.HasMoreThan(19));
  EXPECT_FALSE(outbox_.HasMoreThan(20));
  Arena* const busy = arenas_.Existing(2);

  busy->lock().Acquire();
  std::thread([this] { outbox_.DeliverAll(arenas_); }).join();
  busy->lock().Release();

  EXPECT_FALSE(outbox_.HasMoreThan(0));
  EXPECT_EQ(outbox_.bytes(), 0u);
  EXPECT_FALSE(HasPost(1));
  EXPECT_TRUE(HasPost(2));
  EXPECT_EQ(LentBytes(1), 0u);
  EXPECT_EQ(LentBytes(2), 0u);
}

TEST_F(OutboxTest, BlocksWaitForCompany) {
  AddAll(TakeFrom(1, ClassOf(64), 10), 64, 1);

  EXPECT_FALSE(HasPost(1));
  EXPECT_EQ(outbox_.bytes(), 640u);
}

TEST_F(OutboxTest, AFullParcelIsPosted) {
  const size_t count = Parcel::Capacity(ParcelSize::kSmall);
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(16), count);
  AddAll({blocks.begin(), blocks.end() - 1}, 16, 1);
  EXPECT_FALSE(HasPost(1));

  ASSERT_TRUE(Add(blocks.back(), 16, 1));

  EXPECT_TRUE(HasPost(1));
  EXPECT_EQ(outbox_.bytes(), 0u);
  EXPECT_EQ(LentBytes(1), 0u);
}

TEST_F(OutboxTest, AHeavyParcelIsPosted) {
  const SizeClass c = ClassOf(32'768);
  const size_t count = kParcelBytes / ClassBytes(c);
  const std::vector<std::byte*> blocks = TakeFrom(1, c, count);
  AddAll({blocks.begin(), blocks.end() - 1}, ClassBytes(c), 1);
  EXPECT_FALSE(HasPost(1));

  ASSERT_TRUE(Add(blocks.back(), ClassBytes(c), 1));

  EXPECT_TRUE(HasPost(1));
  EXPECT_EQ(LentBytes(1), 0u);
}

// By what the blocks of the last one weighed.
TEST_F(OutboxTest, TheNextParcelIsPostedWhenItIsAboutAsHeavy) {
  const SizeClass c = ClassOf(32'768);
  const size_t count = kParcelBytes / ClassBytes(c);
  AddAll(TakeFrom(1, c, count), ClassBytes(c), 1);
  EXPECT_EQ(LentBytes(1), 0u);
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(16), count);

  AddAll({blocks.begin(), blocks.end() - 1}, 16, 1);
  EXPECT_FALSE(HasPost(1));
  ASSERT_TRUE(Add(blocks.back(), 16, 1));

  EXPECT_TRUE(HasPost(1));
  EXPECT_EQ(LentBytes(1), 0u);
}

TEST_F(OutboxTest, WhatWaitsForAllArenasTogetherIsBounded) {
  auto many = std::make_unique<ArenaSet>(central_);
  many->CountCpus();
  many->Initialize(40);
  size_t most = 0;
  for (size_t i = 0; i < 40; ++i) {
    Arena* const arena = many->At(i);
    std::byte* blocks[12];
    {
      LockGuard guard(arena->lock());
      ASSERT_EQ(arena->TakeBlocks(ClassOf(4096), blocks, 12), 12u);
    }
    for (std::byte* block : blocks) {
      ASSERT_TRUE(outbox_.Add(AddressOf(block), 4096, static_cast<uint16_t>(i), many->At(0), *many,
                              metadata_));
      most = std::max(most, outbox_.bytes());
    }
  }
  outbox_.Close(*many, metadata_);

  EXPECT_GE(most, kParcelBytes);
  EXPECT_LE(most, kParcelBytes);
}

TEST_F(OutboxTest, EveryOwnerGetsItsOwnBlocks) {
  for (size_t owner = 1; owner < 4; ++owner) {
    AddAll(TakeFrom(owner, ClassOf(64 * owner), 5), 64 * owner, owner);
    AddAll(TakeFrom(owner, ClassOf(2000), 2), ClassBytes(ClassOf(2000)), owner);
  }

  outbox_.PostAll(arenas_);

  EXPECT_EQ(outbox_.bytes(), 0u);
  for (size_t owner = 1; owner < 4; ++owner) {
    EXPECT_TRUE(HasPost(owner));
    EXPECT_EQ(LentBytes(owner), 0u);
  }
}

TEST_F(OutboxTest, AParcelWithoutNewCompanyIsPostedAtTheSecondLook) {
  AddAll(TakeFrom(1, ClassOf(64), 3), 64, 1);

  outbox_.PostStale(arenas_);
  EXPECT_FALSE(HasPost(1));
  AddAll(TakeFrom(1, ClassOf(64), 1), 64, 1);
  outbox_.PostStale(arenas_);
  EXPECT_FALSE(HasPost(1));
  outbox_.PostStale(arenas_);

  EXPECT_TRUE(HasPost(1));
  EXPECT_EQ(LentBytes(1), 0u);
}

TEST_F(OutboxTest, TheBlocksAreNotTouched) {
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(64), 2);
  reinterpret_cast<uint64_t*>(blocks[0])[1] = 4711;

  AddAll(blocks, 64, 1);

  EXPECT_EQ(reinterpret_cast<uint64_t*>(blocks[0])[1], 4711u);
}

TEST_F(OutboxTest, ABlockMayComeByAgainWhenItHasBeenLentOutAgain) {
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(64), 1);
  AddAll(blocks, 64, 1);
  outbox_.PostAll(arenas_);

  ASSERT_EQ(TakeFrom(1, ClassOf(64), 1), blocks);
  AddAll(blocks, 64, 1);
  outbox_.PostAll(arenas_);

  EXPECT_EQ(LentBytes(1), 0u);
}

using OutboxDeathTest = OutboxTest;

TEST_F(OutboxDeathTest, ABlockThatWaitsHereAlreadyIsReported) {
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(64), 20);
  AddAll(blocks, 64, 1);

  EXPECT_DEATH(Add(blocks.back(), 64, 1), "double free of 0x[0-9a-f]+ .size class 64 B.");
}

TEST_F(OutboxTest, EmptyParcelsAreFilledAgain) {
  for (int i = 0; i < 4; ++i) {
    AddAll(TakeFrom(1, ClassOf(64), 3), 64, 1);
    outbox_.PostAll(arenas_);
    ASSERT_EQ(LentBytes(1), 0u);  // takes the parcel in and sends it back empty
  }
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(64) != nullptr) {
  }

  EXPECT_TRUE(Add(TakeFrom(1, ClassOf(64), 1)[0], 64, 1));
}

TEST_F(OutboxTest, WithoutMemoryForATableNothingIsAddedAndTheNextTryWorks) {
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(64), 1);
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(64) != nullptr) {
  }

  EXPECT_FALSE(Add(blocks[0], 64, 1));
  EXPECT_EQ(outbox_.bytes(), 0u);
  os_.RefuseNothing();

  EXPECT_TRUE(Add(blocks[0], 64, 1));
  outbox_.PostAll(arenas_);
  EXPECT_EQ(LentBytes(1), 0u);
}

TEST_F(OutboxTest, ClosingSendsEverythingHomeAndGivesTheTablesBack) {
  const auto UseAndClose = [this] {
    for (size_t owner = 1; owner < 4; ++owner) {
      AddAll(TakeFrom(owner, ClassOf(64), 5), 64, owner);
    }
    outbox_.Close(arenas_, metadata_);
    for (size_t owner = 1; owner < 4; ++owner) {
      EXPECT_FALSE(HasPost(owner));
      EXPECT_EQ(LentBytes(owner), 0u);
    }
  };
  UseAndClose();
  const size_t before = metadata_.mapped_bytes();

  for (int i = 0; i < 200; ++i) UseAndClose();

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(OutboxTest, ClosingGivesEmptyParcelsThatWereNotNeededBack) {
  const auto UseAndClose = [this](size_t owners) {
    for (size_t owner = 1; owner <= owners; ++owner) {
      AddAll(TakeFrom(owner, ClassOf(64), 1), 64, owner);
    }
    outbox_.Close(arenas_, metadata_);
  };
  for (int i = 0; i < 4; ++i) UseAndClose(3);
  const size_t before = metadata_.mapped_bytes();

  // The parcels of one round come back empty in the next, which needs one of the three.
  for (int i = 0; i < 400; ++i) UseAndClose(i % 2 == 0 ? 3 : 1);

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

// One that takes all empty parcels leaves none to the other, which makes some more: not each time.
TEST_F(OutboxTest, OutboxesThatAreUsedSideBySideDoNotNeedMoreAndMore) {
  const auto UseTwoAndClose = [this] {
    Outbox other;
    for (size_t owner = 1; owner < 4; ++owner) {
      AddAll(TakeFrom(owner, ClassOf(64), 1), 64, owner);
      ASSERT_TRUE(other.Add(AddressOf(TakeFrom(owner, ClassOf(64), 1)[0]), 64,
                            static_cast<uint16_t>(owner), home_, arenas_, metadata_));
    }
    other.Close(arenas_, metadata_);
    outbox_.Close(arenas_, metadata_);
  };
  for (int i = 0; i < 4; ++i) UseTwoAndClose();
  const size_t before = metadata_.mapped_bytes();

  for (int i = 0; i < 400; ++i) UseTwoAndClose();

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(OutboxTest, ClosingDoesNotWaitForABusyArena) {
  const std::vector<std::byte*> blocks = TakeFrom(1, ClassOf(64), 1);
  AddAll(blocks, 64, 1);
  Arena* const busy = arenas_.Existing(1);

  busy->lock().Acquire();
  outbox_.Close(arenas_, metadata_);
  busy->lock().Release();

  EXPECT_TRUE(HasPost(1));
  EXPECT_EQ(LentBytes(1), 0u);
}

TEST_F(OutboxTest, AClosedOutboxCanBeUsedAgain) {
  outbox_.Close(arenas_, metadata_);

  AddAll(TakeFrom(1, ClassOf(64), 1), 64, 1);
  outbox_.PostAll(arenas_);

  EXPECT_EQ(LentBytes(1), 0u);
}

}  // namespace
}  // namespace cma
