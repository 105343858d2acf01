// Large small blocks take what is free elsewhere before a slab is opened for them.
#include "cache/refill.h"

#include <gtest/gtest.h>

#include <vector>

#include <cma/cma.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "cache/list_upkeep.h"
#include "support/two_arenas.h"

namespace cma {
namespace {

constexpr size_t kBytes = 9 * kKiB;
constexpr size_t kWider = 10 * kKiB;
static_assert(ClassBytes(ClassOf(kBytes)) == kBytes);
static_assert(NextWider(ClassOf(kBytes), ClassOf(kBytes)) == ClassOf(kWider));

class RefillTest : public cma_test::TwoArenas {
 protected:
  // Blocks of `bytes`, of which all but one in so many are free in their slabs afterwards.
  void Thin(size_t bytes, size_t keep_one_in) {
    std::vector<void*> blocks(100);
    for (void*& block : blocks) block = cma_malloc(bytes);
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (i % keep_one_in == 0) {
        left_.push_back(blocks[i]);
      } else {
        cma_free(blocks[i]);
      }
    }
    cma_malloc_trim(0);  // nothing waits in lists and depots
    t_cache->events = 0;  // the lists are not looked over within the test
  }

  void ThinInOther(size_t bytes, size_t keep_one_in) {
    std::byte* blocks[100];
    LockGuard guard(other_->lock());
    size_t taken = 0;
    while (taken < std::size(blocks)) {
      taken += other_->TakeBlocks(ClassOf(bytes), blocks + taken, std::size(blocks) - taken);
    }
    for (size_t i = 0; i < std::size(blocks); ++i) {
      if (i % keep_one_in == 0) {
        left_.push_back(blocks[i]);
      } else {
        other_->GiveBlocks(&blocks[i], 1);
      }
    }
  }

  // What the own arena has free of the class.
  void TakeAll(size_t bytes) {
    std::byte* block = nullptr;
    LockGuard guard(home_->lock());
    while (home_->TakeBlocks(ClassOf(bytes), &block, 1, Growth::kNone) != 0) {
      KeyOf(AddressOf(block)) = 0;
      left_.push_back(block);
    }
  }

  // A parcel with the blocks, as a thread of the other arena would fill it.
  Parcel* Pack(const std::vector<void*>& blocks, size_t block_bytes) {
    auto* const parcel = static_cast<Parcel*>(g_heap.metadata.Take(sizeof(Parcel)));
    parcel->sender = other_;
    parcel->size = ParcelSize::kLarge;
    parcel->count = 0;
    parcel->bytes = blocks.size() * block_bytes;
    for (void* block : blocks) Parcel::Put(parcel->Place(parcel->count++), AddressOf(block));
    return parcel;
  }

  void* Allocate(size_t bytes) {
    left_.push_back(cma_malloc(bytes));
    return left_.back();
  }

  // The cache line on which the own arena's next block begins, as another thread would get it.
  uintptr_t LineOfNewBlock(size_t bytes) {
    std::byte* block = nullptr;
    LockGuard guard(home_->lock());
    EXPECT_EQ(home_->TakeBlocks(ClassOf(bytes), &block, 1), 1u);
    KeyOf(AddressOf(block)) = 0;
    left_.push_back(block);
    return AddressOf(block) / kCacheLineBytes;
  }

  static Arena* OwnerOf(const void* block) {
    return g_heap.arenas.Owner(g_address_map.FindSuperblock(AddressOf(block)));
  }
};

TEST_F(RefillTest, ABlockOfAClassThatIsALittleWiderServesWhereSlabsAreLoose) {
  Thin(kWider, 3);
  Allocate(kWider);  // the list is in use

  EXPECT_EQ(cma_malloc_usable_size(Allocate(kBytes)), kWider);
}

TEST_F(RefillTest, ItIsFreedAndAllocatedAgainAsOneOfTheWiderClass) {
  Thin(kWider, 3);
  Allocate(kWider);
  void* const block = cma_malloc(kBytes);
  ASSERT_EQ(cma_malloc_usable_size(block), kWider);

  cma_free(block);

  EXPECT_EQ(Allocate(kWider), block);
}

TEST_F(RefillTest, AClassThatMissesAgainAtOnceGetsAListOfItsOwn) {
  Thin(kWider, 3);
  Allocate(kWider);

  for (int i = 0; i < 40; ++i) cma_free(cma_malloc(kBytes));

  const uint32_t events = t_cache->events;
  for (int i = 0; i < 100; ++i) cma_free(cma_malloc(kBytes));
  EXPECT_EQ(t_cache->events, events);
}

TEST_F(RefillTest, ABlockThatIsUsedOnAndOnIsOfTheOwnArenaInTheEnd) {
  ThinInOther(kBytes, 3);

  for (int i = 0; i < 100; ++i) cma_free(cma_malloc(kBytes));

  EXPECT_EQ(OwnerOf(Allocate(kBytes)), home_);
}

TEST_F(RefillTest, WhereSlabsAreDenseTheHeapGrows) {
  Thin(kWider, 1);
  Allocate(kWider);

  EXPECT_EQ(cma_malloc_usable_size(Allocate(kBytes)), kBytes);
}

TEST_F(RefillTest, FullSlabsAreDenseThoughNoBlockFitsIntoTheirTails) {
  constexpr size_t kWithTail = 13 * kKiB;
  static_assert(kUnitBytes % kWithTail >= kUnitBytes / Arena::kLooseShare);
  Thin(kWithTail, 1);

  LockGuard guard(home_->lock());
  EXPECT_FALSE(home_->IsLoose());
}

TEST_F(RefillTest, WhatIsFreeInAnotherArenasLooseSlabsComesFirst) {
  ThinInOther(kBytes, 3);

  void* const block = Allocate(kBytes);

  EXPECT_EQ(OwnerOf(block), other_);
  EXPECT_EQ(cma_malloc_usable_size(block), kBytes);
}

TEST_F(RefillTest, ItIsTakenUntilThoseAreDense) {
  ThinInOther(kBytes, 3);

  do {
    t_cache->events += 10;  // as if other lists had missed meanwhile
  } while (OwnerOf(Allocate(kBytes)) == other_);

  LockGuard guard(other_->lock());
  EXPECT_FALSE(other_->IsLoose());
}

// Blocks of the class that are posted while the arena is asked for a wider one fill the list as
// well.
TEST_F(RefillTest, AListIsNeverFilledBeyondItsArray) {
  static Arena* home;
  static std::vector<Parcel*> late;
  const SizeClass c = ClassOf(kBytes);
  Thin(16 * kKiB, 3);  // so that the arena is loose
  std::vector<void*> posted(16);
  for (void*& block : posted) block = cma_malloc(kBytes);
  void* const odd[] = {cma_malloc(64), cma_malloc(64)};
  // Both lists are in use and empty, and the arena has none to add to them unless it grows.
  for (const size_t bytes : {kWider, kBytes}) {
    do Allocate(bytes);
    while (t_cache->depth(ClassOf(bytes)) != 0);
    TakeAll(bytes);
  }
  const size_t capacity = t_cache->backing[c].capacity();
  ASSERT_GT(posted.size(), capacity / 2);
  // These look free, so the layer above is asked about them, and then the next parcel comes: when
  // the list is to be filled, when the arena is asked, and what matters after that.
  for (void* block : odd) KeyOf(AddressOf(block)) = AddressMap::FreeKey();
  home = home_;
  late = {Pack(posted, kBytes), Pack({odd[1]}, 64)};
  Arena::SetCacheProbe([](SizeClass, const std::byte*) {
    home->Post(late.back());
    late.pop_back();
    return false;
  });
  home_->Post(Pack({odd[0]}, 64));
  t_cache->events += 10;  // as if other lists had missed meanwhile

  Allocate(kBytes);

  Arena::SetCacheProbe(
      [](SizeClass of, const std::byte* block) { return g_caches.TryHolds(of, AddressOf(block)); });
  EXPECT_TRUE(late.empty());
  EXPECT_FALSE(home_->HasPost());
  EXPECT_EQ(t_cache->backing[c].capacity(), capacity);
  EXPECT_LT(t_cache->depth(c), capacity);
  EXPECT_EQ(t_cache->backing[c].slots()[capacity + 1], kFullMark);
}

// A thread that never asks for more would share the line with the block's owner for good.
TEST_F(RefillTest, TheFirstBlocksOfAThreadLieOnCacheLinesOfTheirOwn) {
  for (const size_t bytes : {16u, 32u, 48u, 80u, 128u}) {
    SCOPED_TRACE(bytes);
    const uintptr_t before = LineOfNewBlock(bytes);

    const uintptr_t first = AddressOf(Allocate(bytes));
    while (t_cache->depth(ClassOf(bytes)) != 0) Allocate(bytes);
    const uintptr_t end = AddressOf(left_.back()) + bytes;

    EXPECT_NE(first / kCacheLineBytes, before);
    EXPECT_NE(LineOfNewBlock(bytes), (end - 1) / kCacheLineBytes);
  }
}

// The fullest slab has a hole on every line, another one has lines.
TEST_F(RefillTest, TheyAreLookedForInSlabsThatAreLessFullToo) {
  constexpr size_t kInSlab = kUnitBytes / 48;
  std::vector<std::byte*> blocks(2 * kInSlab);
  home_->lock().Acquire();
  for (std::byte*& block : blocks) EXPECT_EQ(home_->TakeBlocks(ClassOf(48), &block, 1), 1u);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i < kInSlab ? i % 16 == 0 : i % kInSlab >= 200) {
      home_->GiveBlocks(&blocks[i], 1);
    } else {
      KeyOf(AddressOf(blocks[i])) = 0;
      left_.push_back(blocks[i]);
    }
  }
  home_->lock().Release();

  const auto first = static_cast<std::byte*>(Allocate(48));

  EXPECT_EQ(AddressOf(first) / kUnitBytes, AddressOf(blocks.back()) / kUnitBytes);
}

TEST_F(RefillTest, WhatAThreadFreesBeforeItAllocatesIsNotWhatItGets) {
  LineOfNewBlock(48);
  void* const gift = left_.back();
  const uintptr_t line = LineOfNewBlock(48);
  ASSERT_EQ(AddressOf(gift) / kCacheLineBytes, line);
  left_.erase(left_.end() - 2);

  cma_free(gift);

  EXPECT_NE(AddressOf(Allocate(48)) / kCacheLineBytes, line);
}

TEST_F(RefillTest, AListIsNewThoughItsArenaHadToGrow) {
  cma_malloc_trim(0);
  while (std::byte* run = home_->TakeRun(kUnitBytes, 1, nullptr, Growth::kNone))
    left_.push_back(run);

  Allocate(48);

  EXPECT_EQ(t_cache->backing[ClassOf(48)].capacity(), FirstCapacity(ClassOf(48)));
}

class IdleListsTest : public RefillTest {
 protected:
  IdleListsTest() {
    for (const size_t bytes : {kIdle, kInUse}) {
      void* blocks[4];
      for (void*& block : blocks) block = cma_malloc(bytes);
      for (void* block : blocks) cma_free(block);
    }
  }

  // So many misses and overflows of other classes and, in between, of the one in use.
  static void LetPass(uint32_t events) {
    t_cache->events += events;
    t_cache->used[ClassOf(kInUse)] = t_cache->Now();
  }
  static size_t Depth(size_t bytes) { return t_cache->depth(ClassOf(bytes)); }

  static constexpr size_t kIdle = 352;
  static constexpr size_t kInUse = 416;
};

TEST_F(IdleListsTest, WhatHadNoMissForAWhileGoesHomeAtTheFirstLook) {
  LetPass(1000);

  GiveIdleLists(t_cache);

  EXPECT_EQ(Depth(kIdle), 0u);
  EXPECT_GE(Depth(kInUse), 4u);
}

TEST_F(IdleListsTest, SoonAfterALookOnlyWhatHasNotChangedSinceGoesHome) {
  GiveIdleLists(t_cache);
  ASSERT_GE(Depth(kIdle), 4u);
  ASSERT_GE(Depth(kInUse), 4u);
  LetPass(50);
  Allocate(kInUse);

  GiveIdleLists(t_cache);

  EXPECT_EQ(Depth(kIdle), 0u);
  EXPECT_GE(Depth(kInUse), 3u);
}

TEST_F(RefillTest, SmallerBlocksComeFromTheOwnArenaAlone) {
  ThinInOther(1000, 3);

  EXPECT_EQ(OwnerOf(Allocate(1000)), home_);
}

}  // namespace
}  // namespace cma
