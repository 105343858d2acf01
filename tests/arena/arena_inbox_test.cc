// Blocks that other arenas' threads have freed, on their way in by parcel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "arena/arena.h"
#include "support/arena_fixture.h"

namespace cma {
namespace {

class ArenaInboxTest : public cma_test::ArenaFixture {
 protected:
  // A parcel with the blocks, as a thread of `sender_` would fill it.
  Parcel* Pack(const std::vector<std::byte*>& blocks, size_t block_bytes) {
    auto* const parcel = static_cast<Parcel*>(metadata_.Take(sizeof(Parcel)));
    parcel->sender = &sender_;
    parcel->size = ParcelSize::kLarge;
    parcel->count = 0;
    parcel->bytes = 0;
    for (std::byte* block : blocks) {
      KeyOf(block) = 0;
      Parcel::Put(parcel->Place(parcel->count++), AddressOf(block));
      parcel->bytes += block_bytes;
    }
    return parcel;
  }

  static uint64_t& KeyOf(std::byte* block) { return reinterpret_cast<uint64_t*>(block)[1]; }

  void Drain() {
    LockGuard guard(arena_.lock());
    arena_.DrainInbox();
  }

  Arena& sender_ = *arenas_.At(1);
};

TEST_F(ArenaInboxTest, PostedBlocksWaitUntilTheArenaIsUsed) {
  const SizeClass c = ClassOf(64);
  const std::vector<std::byte*> blocks = Take(c, 10);
  EXPECT_FALSE(arena_.HasPost());

  arena_.Post(Pack(blocks, 64));

  EXPECT_TRUE(arena_.HasPost());
  EXPECT_EQ(Stats().inbox_bytes, 640u);
  EXPECT_EQ(Stats().small_lent_bytes, 640u);
  EXPECT_THAT(blocks, testing::Contains(Take(c, 1)[0]));
  EXPECT_FALSE(arena_.HasPost());
  EXPECT_EQ(Stats().inbox_bytes, 0u);
  EXPECT_EQ(Stats().small_lent_bytes, 64u);
}

TEST_F(ArenaInboxTest, PostedBlocksAreMarkedAsFree) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 2);

  arena_.Post(Pack(blocks, 64));
  Drain();

  for (std::byte* block : blocks) EXPECT_EQ(KeyOf(block), map_.FreeKey());
}

TEST_F(ArenaInboxTest, AnEmptyParcelGoesBackToItsSender) {
  Parcel* const first = Pack(Take(ClassOf(64), 2), 64);
  Parcel* const second = Pack(Take(ClassOf(4096), 2), 4096);
  arena_.Post(first);
  arena_.Post(second);
  EXPECT_EQ(sender_.TakeEmptyParcels(ParcelSize::kLarge), nullptr);

  Drain();

  Parcel* const parcel = sender_.TakeEmptyParcels(ParcelSize::kLarge);
  ASSERT_NE(parcel, nullptr);
  ASSERT_NE(parcel->next, nullptr);
  EXPECT_EQ(parcel->next->next, nullptr);
  EXPECT_EQ(sender_.TakeEmptyParcels(ParcelSize::kLarge), nullptr);
  EXPECT_EQ(arena_.TakeEmptyParcels(ParcelSize::kLarge), nullptr);
}

TEST_F(ArenaInboxTest, AParcelMayHoldBlocksOfManyClasses) {
  std::vector<std::byte*> blocks;
  for (SizeClass c = 1; c < kSizeClasses; ++c) blocks.push_back(Take(c, 1)[0]);

  arena_.Post(Pack(blocks, 1));
  Drain();

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
  EXPECT_EQ(Stats().run_lent_bytes, 0u);
  ExpectStatsAddUp();
}

TEST_F(ArenaInboxTest, TheyGoIntoListsAsFarAsThereIsRoom) {
  const SizeClass c = ClassOf(64);
  const std::vector<std::byte*> blocks = Take(c, 5);
  const std::vector<std::byte*> others = Take(ClassOf(3000), 1);
  uintptr_t slots[] = {kBottomMark, 0, 0, 0, kFullMark};
  NoLists lists;
  lists[c] = slots + 1;
  arena_.Post(Pack(blocks, 64));
  arena_.Post(Pack(others, 3000));

  {
    LockGuard guard(arena_.lock());
    arena_.DrainInbox(lists.data());
  }

  EXPECT_EQ(lists[c], slots + 4);
  for (size_t i = 1; i <= 3; ++i) {
    EXPECT_THAT(blocks, testing::Contains(reinterpret_cast<std::byte*>(slots[i])));
    EXPECT_EQ(KeyOf(reinterpret_cast<std::byte*>(slots[i])), map_.FreeKey());
  }
  EXPECT_EQ(Stats().small_lent_bytes, 3u * 64);
  EXPECT_EQ(slots[4], kFullMark);
}

TEST_F(ArenaInboxTest, EveryWayIntoTheArenaTakesThePostIn) {
  const auto Post = [this] { arena_.Post(Pack(Take(ClassOf(64), 1), 64)); };
  bool pending = false;

  Post();
  ASSERT_NE(arena_.TakeRun(kLargeMax, 16, nullptr), nullptr);
  EXPECT_FALSE(arena_.HasPost());
  Post();
  arena_.SweepStep(1, false, &pending);
  EXPECT_FALSE(arena_.HasPost());

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
}

TEST_F(ArenaInboxTest, ParcelsThatNobodyTakesInDoNotPileUp) {
  std::vector<Parcel*> post;
  for (size_t i = 0; i < 3 * Arena::kMostParcels; ++i) {
    post.push_back(Pack(Take(ClassOf(64), 1), 64));
  }

  for (Parcel* parcel : post) arena_.Post(parcel);

  EXPECT_LE(Stats().inbox_bytes, Arena::kMostParcels * 64);
}

TEST_F(ArenaInboxTest, PostingNeverWaitsForTheArena) {
  std::vector<Parcel*> post;
  for (size_t i = 0; i < 2 * Arena::kMostParcels; ++i) {
    post.push_back(Pack(Take(ClassOf(64), 1), 64));
  }

  {
    LockGuard guard(arena_.lock());
    std::thread([&] {
      for (Parcel* parcel : post) arena_.Post(parcel);
    }).join();
  }

  EXPECT_EQ(Stats().inbox_bytes, post.size() * 64);
  Drain();
  EXPECT_EQ(Stats().small_lent_bytes, 0u);
}

using ArenaInboxDeathTest = ArenaInboxTest;

TEST_F(ArenaInboxDeathTest, ABlockInTwoParcelsIsReported) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 2);
  arena_.Post(Pack({blocks[0]}, 64));
  arena_.Post(Pack({blocks[0]}, 64));

  EXPECT_DEATH(Drain(), "double free of 0x");
}

TEST_F(ArenaInboxDeathTest, ASmallBlockThatIsAtHomeAlreadyIsReported) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 2);
  Give({blocks[0]});
  Parcel* const parcel = Pack({blocks[0]}, 64);
  KeyOf(blocks[0]) = map_.FreeKey();  // as the list has left it through which it went home
  arena_.Post(parcel);

  EXPECT_DEATH(Drain(), "double free of 0x");
}

TEST_F(ArenaInboxDeathTest, AMediumBlockThatIsAtHomeAlreadyIsReported) {
  const std::vector<std::byte*> blocks = Take(ClassOf(17'000), 2);
  Give({blocks[0]});
  arena_.Post(Pack({blocks[0]}, ClassBytes(ClassOf(17'000))));

  EXPECT_DEATH(Drain(), "double free of 0x");
}

TEST_F(ArenaInboxDeathTest, ABlockThatWaitsInAListAndInAParcelIsReported) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 1);
  Parcel* const parcel = Pack(blocks, 64);
  KeyOf(blocks[0]) = map_.FreeKey();
  arena_.Post(parcel);
  Arena::SetCacheProbe([](SizeClass, const std::byte*) { return true; });

  EXPECT_DEATH(Drain(), "double free of 0x");
  Arena::SetCacheProbe(nullptr);
}

TEST_F(ArenaInboxTest, AKeyThatTheProgramCopiedIsNoDoubleFree) {
  const std::vector<std::byte*> blocks = Take(ClassOf(64), 1);
  Parcel* const parcel = Pack(blocks, 64);
  KeyOf(blocks[0]) = map_.FreeKey();
  arena_.Post(parcel);
  Arena::SetCacheProbe([](SizeClass, const std::byte*) { return false; });

  Drain();

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
  Arena::SetCacheProbe(nullptr);
}

TEST_F(ArenaInboxTest, NothingThatThreadsPostAtTheSameTimeIsLost) {
  constexpr int kThreads = 4;
  constexpr int kParcels = 60;
  constexpr size_t kBlocks = 40;
  std::vector<std::vector<Parcel*>> post(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kParcels; ++i) {
      const SizeClass c = 1 + static_cast<SizeClass>(i * kThreads + t) % (kSizeClasses - 1);
      std::vector<std::byte*> blocks;
      while (blocks.size() < kBlocks) {
        for (std::byte* block : Take(c, kBlocks - blocks.size())) blocks.push_back(block);
      }
      post[t].push_back(Pack(blocks, ClassBytes(c)));
    }
  }
  std::vector<std::thread> threads;
  std::atomic<int> posting{kThreads};

  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (Parcel* parcel : post[t]) arena_.Post(parcel);
      --posting;
    });
  }
  while (posting.load() != 0) Drain();
  for (std::thread& thread : threads) thread.join();
  Drain();

  EXPECT_EQ(Stats().small_lent_bytes, 0u);
  EXPECT_EQ(Stats().run_lent_bytes, 0u);
  EXPECT_EQ(Stats().inbox_bytes, 0u);
  ExpectStatsAddUp();
  int empties = 0;
  for (Parcel* parcel = sender_.TakeEmptyParcels(ParcelSize::kLarge); parcel != nullptr; parcel = parcel->next) {
    ++empties;
  }
  EXPECT_EQ(empties, kThreads * kParcels);
}

}  // namespace
}  // namespace cma
