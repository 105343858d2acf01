#include "heaps/user_heaps.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "options/options.h"
#include "support/heap_fixture.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::kIntact;
using Contents = UserHeap::Contents;

class UserHeapsTest : public cma_test::HeapFixture {
 protected:
  UserHeap* Make(size_t limit = UserHeap::kNoLimit) { return heaps_.Make("test", limit); }

  static std::byte* Take(UserHeap* heap, size_t size, size_t alignment = kMinAlignment) {
    return heap->Take(size, alignment, Contents::kAny).block;
  }

  Superblock* SuperblockOf(const std::byte* block) const {
    return map_.FindSuperblock(AddressOf(block));
  }

  // What malloc_usable_size would say.
  size_t UsableBytes(const std::byte* block) {
    Superblock* const superblock = SuperblockOf(block);
    if (superblock == nullptr) return huge_.BytesOf(block);
    if (const Slab* slab = SlabAt(superblock, block)) return slab->block_bytes;
    return UsedRunAt(superblock, block).bytes();
  }

  void Free(UserHeap* heap, std::byte* block) {
    if (SuperblockOf(block) == nullptr) {
      EXPECT_TRUE(huge_.Give(block));
    } else {
      heap->Give(block, UsableBytes(block));
    }
  }

  UserHeaps heaps_{arenas_, central_, huge_};
};

constexpr size_t kSizes[] = {0,      1,     16,    100,     1024, 1025,     5000,
                             20'000, 32768, 32769, 100'000, kMiB, kMiB + 1, 5 * kMiB + 7};

TEST_F(UserHeapsTest, LiveBytesAreTheUsableBytesOfItsBlocks) {
  UserHeap* const heap = Make();
  std::vector<std::byte*> blocks;
  size_t usable = 0;

  for (const size_t size : kSizes) {
    for (int i = 0; i < 5; ++i) {
      blocks.push_back(Take(heap, size));
      ASSERT_NE(blocks.back(), nullptr) << size;
      ASSERT_GE(UsableBytes(blocks.back()), size);
      usable += UsableBytes(blocks.back());
      ASSERT_EQ(heap->live(), usable) << size;
    }
  }

  for (std::byte* block : blocks) Free(heap, block);
  EXPECT_EQ(heap->live(), 0u);
  EXPECT_EQ(heap->huge(), 0u);
  EXPECT_EQ(heap->peak(), usable);
}

TEST_F(UserHeapsTest, ABlockIsWhereTheAlignmentAsks) {
  UserHeap* const heap = Make();
  for (size_t alignment = 16; alignment <= 8 * kMiB; alignment *= 2) {
    for (const size_t size : kSizes) {
      std::byte* const block = Take(heap, size, alignment);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(AddressOf(block) % alignment, 0u) << size << " at " << alignment;
      EXPECT_GE(UsableBytes(block), size);
      Free(heap, block);
    }
  }
  EXPECT_EQ(heap->live(), 0u);
}

TEST_F(UserHeapsTest, ZeroedBlocksAreZeroWhateverWasThereBefore) {
  UserHeap* const heap = Make();
  for (const size_t size : kSizes) {
    for (int round = 0; round < 2; ++round) {
      std::byte* const block = heap->Take(size, kMinAlignment, Contents::kZero).block;
      ASSERT_NE(block, nullptr);
      EXPECT_TRUE(IsZero(block, size)) << size;
      FillPattern(block, size, 1);
      Free(heap, block);
    }
  }
}

TEST_F(UserHeapsTest, NoTwoBlocksOverlapAndHeapsShareNoUnit) {
  UserHeap* const heaps[] = {Make(), Make()};
  std::vector<std::pair<std::byte*, size_t>> blocks;
  for (const size_t size : kSizes) {
    for (int i = 0; i < 6; ++i) {
      blocks.emplace_back(Take(heaps[i % 2], size), size);
      FillPattern(blocks.back().first, size, AddressOf(blocks.back().first));
    }
  }

  for (const auto& [block, size] : blocks) {
    EXPECT_EQ(FindDamage(block, size, AddressOf(block)), kIntact) << size;
  }
}

TEST_F(UserHeapsTest, TheLimitHoldsToTheByte) {
  UserHeap* const heap = Make(10'000);
  std::vector<std::byte*> blocks;

  for (;;) {
    const UserHeap::Taken taken = heap->Take(96, kMinAlignment, Contents::kAny);
    if (taken.block == nullptr) {
      EXPECT_TRUE(taken.over_limit);
      break;
    }
    blocks.push_back(taken.block);
  }

  EXPECT_EQ(blocks.size(), 10'000u / 96);
  EXPECT_LE(heap->live(), 10'000u);
  EXPECT_EQ(heap->refusals(), 1u);
  Free(heap, blocks.back());
  EXPECT_NE(Take(heap, 96), nullptr);
}

TEST_F(UserHeapsTest, TheLimitHoldsForEverySize) {
  constexpr size_t kLimit = 7 * kMiB + 4321;
  for (const size_t size : kSizes) {
    UserHeap* const heap = Make(kLimit);
    size_t n = 0;
    while (n < 3000 && Take(heap, size) != nullptr) {
      ++n;
      ASSERT_LE(heap->live(), kLimit);
    }
    EXPECT_GE(n, std::min<size_t>(3000, kLimit / (size + size / 8 + 4096))) << size;
    ASSERT_TRUE(heaps_.Destroy(heap));
  }
}

TEST_F(UserHeapsTest, WhatTheOsRefusesIsNotCharged) {
  UserHeap* const heap = Make();
  os_.RefuseEvery(FakeOs::kMap);
  for (const size_t size : {size_t{100}, size_t{5000}, size_t{20'000}, size_t{100'000}, 3 * kMiB}) {
    const UserHeap::Taken taken = heap->Take(size, kMinAlignment, Contents::kAny);
    EXPECT_EQ(taken.block, nullptr);
    EXPECT_FALSE(taken.over_limit);
    EXPECT_EQ(heap->live(), 0u);
  }
  os_.RefuseNothing();

  EXPECT_NE(Take(heap, 100), nullptr);
}

TEST_F(UserHeapsTest, SizesBeyondAllAddressesFail) {
  UserHeap* const heap = Make();

  EXPECT_EQ(Take(heap, SIZE_MAX), nullptr);
  EXPECT_EQ(Take(heap, PTRDIFF_MAX), nullptr);
  EXPECT_EQ(Take(heap, 1, size_t{1} << 63), nullptr);
  EXPECT_EQ(heap->live(), 0u);
}

TEST_F(UserHeapsTest, RunsGrowAndShrinkInPlaceWithinTheLimit) {
  UserHeap* const heap = Make(600 * kKiB);
  std::byte* const block = Take(heap, 100 * kKiB);
  const auto run = [&] { return UsedRunAt(SuperblockOf(block), block); };

  EXPECT_GE(heap->ResizeRun(run(), 400 * kKiB).usable, 400 * kKiB);
  EXPECT_EQ(heap->live(), UsableBytes(block));
  EXPECT_LT(heap->ResizeRun(run(), 800 * kKiB).usable, 800 * kKiB);
  EXPECT_EQ(heap->live(), UsableBytes(block));
  EXPECT_LT(heap->ResizeRun(run(), 40 * kKiB).usable, 42 * kKiB);
  EXPECT_EQ(heap->live(), UsableBytes(block));
}

// What would be left of the free run behind it is too short for a run of its own.
TEST_F(UserHeapsTest, WhereARunWouldGetMoreThanTheLimitAllowsItStays) {
  constexpr size_t kLimit = 1 * kMiB;
  UserHeap* const heap = Make(kLimit);
  std::byte* const block = Take(heap, 200 * kKiB);
  std::byte* const behind = Take(heap, 100 * kKiB);
  const auto run = [&] { return UsedRunAt(SuperblockOf(block), block); };
  const size_t before = run().bytes();
  ASSERT_EQ(block + before, behind);
  const size_t shorter = heap->ResizeRun(run(), 160 * kKiB).usable;  // no slab fits in between
  const size_t wanted = before - kGranuleBytes;
  while (kLimit - heap->live() > wanted - shorter) ASSERT_NE(Take(heap, kGranuleBytes), nullptr);
  ASSERT_EQ(kLimit - heap->live(), wanted - shorter);

  const UserHeap::Resized resized = heap->ResizeRun(run(), wanted);

  EXPECT_TRUE(resized.over_limit);
  EXPECT_EQ(resized.usable, shorter);
  EXPECT_EQ(run().bytes(), shorter);
  EXPECT_EQ(kLimit - heap->live(), wanted - shorter);
}

TEST_F(UserHeapsTest, HugeBlocksAreResizedWithinTheLimit) {
  UserHeap* const heap = Make(20 * kMiB);
  std::byte* block = Take(heap, 4 * kMiB);

  block = heap->ResizeHuge(block, UsableBytes(block), 12 * kMiB);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(heap->live(), 12 * kMiB);
  EXPECT_EQ(heap->ResizeHuge(block, UsableBytes(block), 21 * kMiB), nullptr);
  EXPECT_EQ(heap->ResizeHugeInPlace(block, UsableBytes(block), 21 * kMiB).usable, 12 * kMiB);
  EXPECT_EQ(heap->live(), 12 * kMiB);
  EXPECT_EQ(heap->ResizeHugeInPlace(block, UsableBytes(block), 2 * kMiB).usable, 2 * kMiB);
  EXPECT_EQ(heap->live(), 2 * kMiB);
}

TEST_F(UserHeapsTest, DestroyingGivesAllMemoryBack) {
  UserHeap* const heap = Make();
  for (const size_t size : kSizes) {
    for (int i = 0; i < 20; ++i) ASSERT_NE(Take(heap, size), nullptr);
  }

  EXPECT_TRUE(heaps_.Destroy(heap));

  EXPECT_EQ(huge_.live_bytes(), 0u);
  EXPECT_EQ(central_.free_superblocks() * kSuperblockBytes, central_.mapped_bytes());
  EXPECT_EQ(heap->live(), 0u);
  EXPECT_EQ(heaps_.live(), 0u);
}

TEST_F(UserHeapsTest, OtherHeapsAreLeftAlone) {
  UserHeap* const stays = Make();
  std::vector<std::pair<std::byte*, size_t>> blocks;
  UserHeap* const goes = Make();
  for (const size_t size : kSizes) {
    blocks.emplace_back(Take(stays, size), size);
    FillPattern(blocks.back().first, size, 7);
    ASSERT_NE(Take(goes, size), nullptr);
  }
  const size_t live = stays->live();

  ASSERT_TRUE(heaps_.Destroy(goes));
  UserHeap* const next = Make();
  for (const size_t size : kSizes) {
    std::byte* const block = Take(next, size);
    FillPattern(block, size, 8);
  }

  EXPECT_EQ(stays->live(), live);
  for (const auto& [block, size] : blocks) EXPECT_EQ(FindDamage(block, size, 7), kIntact) << size;
}

TEST_F(UserHeapsTest, ADestroyedHeapIsNotDestroyedAgain) {
  UserHeap* const heap = Make();

  EXPECT_TRUE(heaps_.Destroy(heap));
  EXPECT_FALSE(heaps_.Destroy(heap));
}

TEST_F(UserHeapsTest, PlacesAreUsedAgainWithoutNewMemory) {
  for (int i = 0; i < 3; ++i) {
    UserHeap* const heap = Make();
    ASSERT_NE(Take(heap, 100), nullptr);
    ASSERT_TRUE(heaps_.Destroy(heap));
  }
  const size_t held = HeldBytes();

  for (int i = 0; i < 10'000; ++i) {
    UserHeap* const heap = Make(1000);
    ASSERT_EQ(heap->live(), 0u);
    ASSERT_EQ(heap->peak(), 0u);
    ASSERT_EQ(heap->refusals(), 0u);
    ASSERT_NE(Take(heap, 100), nullptr);
    ASSERT_EQ(Take(heap, 2000), nullptr);
    ASSERT_TRUE(heaps_.Destroy(heap));
  }

  EXPECT_EQ(HeldBytes(), held);
}

TEST_F(UserHeapsTest, ThereAreSoManyAndNoMore) {
  std::vector<UserHeap*> heaps;
  for (size_t i = 0; i < kMaxUserHeaps; ++i) {
    heaps.push_back(Make());
    ASSERT_NE(heaps.back(), nullptr);
  }
  EXPECT_EQ(Make(), nullptr);
  EXPECT_NE(Take(heaps.back(), 100), nullptr);

  ASSERT_TRUE(heaps_.Destroy(heaps[17]));

  EXPECT_EQ(Make(), heaps[17]);
}

TEST_F(UserHeapsTest, WithoutMemoryForItThereIsNoHeapAndTheNextTryWorks) {
  os_.RefuseEvery(FakeOs::kMap);
  while (metadata_.Take(64) != nullptr) {
  }

  EXPECT_EQ(Make(), nullptr);
  os_.RefuseNothing();

  EXPECT_NE(Make(), nullptr);
}

TEST_F(UserHeapsTest, ARefusalAtAnyCallIsNullAndTheNextTryWorks) {
  UserHeap* heap = nullptr;
  for (size_t n = 1; heap == nullptr; ++n) {
    SCOPED_TRACE(n);
    const size_t before = os_.refusals();
    os_.RefuseAny(n);

    heap = Make();

    os_.RefuseNothing();
    ASSERT_TRUE(heap != nullptr || os_.refusals() != before);
    EXPECT_EQ(heaps_.live(), heap != nullptr ? 1u : 0u);
  }
  EXPECT_NE(Take(heap, 100), nullptr);
}

TEST_F(UserHeapsTest, AHeapIsFoundByItsArena) {
  UserHeap* const heap = Make();
  std::byte* const block = Take(heap, 100);

  EXPECT_EQ(heaps_.OfArena(SuperblockOf(block)->arena.load()), heap);
  EXPECT_EQ(heaps_.OfArena(0), nullptr);
  EXPECT_EQ(heaps_.OfArena(kNoArena), nullptr);
}

TEST_F(UserHeapsTest, NamesAreCopiedAndCutOff) {
  std::string name(100, 'x');
  UserHeap* const heap = heaps_.Make(name.c_str(), UserHeap::kNoLimit);
  name.assign(100, 'y');

  EXPECT_EQ(heap->name(), std::string(UserHeap::kNameBytes - 1, 'x'));
  EXPECT_STREQ(heaps_.Make(nullptr, UserHeap::kNoLimit)->name(), "");
  const std::string whole(UserHeap::kNameBytes - 2, 'x');
  EXPECT_EQ(heaps_.Make((whole + "\u00e4").c_str(), UserHeap::kNoLimit)->name(), whole)
      << "no half of a character";
  EXPECT_EQ(heaps_.Make((whole + "yz").c_str(), UserHeap::kNoLimit)->name(), whole + "y");
}

TEST_F(UserHeapsTest, OnlyLiveHeapsAreGoneThrough) {
  Make();
  UserHeap* const goes = Make();
  Make();
  ASSERT_TRUE(heaps_.Destroy(goes));
  std::vector<const UserHeap*> seen;

  heaps_.ForEach([&](UserHeap& heap) { seen.push_back(&heap); });

  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), goes), 0);
}

TEST_F(UserHeapsTest, MappedBytesAreSuperblocksAndHugeBlocks) {
  UserHeap* const heap = Make();
  EXPECT_EQ(heap->ReadFigures().mapped, 0u);

  ASSERT_NE(Take(heap, 100), nullptr);
  ASSERT_NE(Take(heap, 3 * kMiB), nullptr);

  EXPECT_EQ(heap->ReadFigures().mapped, kSuperblockBytes + 3 * kMiB);
}

TEST_F(UserHeapsTest, WhatADestroyedHeapHeldIsZeroIfFreedBlocksAre) {
  g_options.zero_on_free = 1;
  for (const uint64_t lazily : {0, 1}) {
    g_options.madv_free = lazily;
    UserHeap* const heap = Make();
    std::vector<std::byte*> blocks;
    for (const size_t size : {100, 5000, 20'000, 100'000}) {
      blocks.push_back(Take(heap, size));
      FillPattern(blocks.back(), static_cast<size_t>(size), 1);
    }

    ASSERT_TRUE(heaps_.Destroy(heap));

    for (const std::byte* block : blocks) EXPECT_TRUE(IsZero(block, 100)) << lazily;
  }
}

using UserHeapsDeathTest = UserHeapsTest;

TEST_F(UserHeapsDeathTest, ABlockThatIsFreeAlreadyIsReported) {
  UserHeap* const heap = Make();
  std::byte* const small = Take(heap, 100);
  std::byte* const medium = Take(heap, 20'000);
  heap->Give(small, 112);
  heap->Give(medium, UsableBytes(medium));

  EXPECT_DEATH(heap->Give(small, 112), "double free of 0x[0-9a-f]+ .size class 112 B.");
  EXPECT_DEATH(heap->Give(medium, 20'480), "double free of 0x[0-9a-f]+");
}

TEST_F(UserHeapsDeathTest, ABlockOfADestroyedHeapIsReportedEvenIfItComesTooLateForTheMap) {
  UserHeap* const heap = Make();
  std::byte* const block = Take(heap, 100);
  ASSERT_TRUE(heaps_.Destroy(heap));

  EXPECT_DEATH(heap->Give(block, 112), "double free of 0x[0-9a-f]+");
}

}  // namespace
}  // namespace cma
