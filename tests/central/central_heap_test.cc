#include "central/central_heap.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "support/heap_fixture.h"
#include "support/pages.h"
#include "support/pattern.h"

namespace cma {
namespace {

using cma_test::CountPagesWithMemory;
using cma_test::FakeOs;
using cma_test::FillPattern;
using cma_test::FindDamage;
using cma_test::IsZero;
using cma_test::kIntact;

constexpr size_t kAll = ~size_t{0};
constexpr Milliseconds kAge = 500;

class CentralHeapTest : public cma_test::HeapFixture {
 protected:
  // A superblock whose first pages are in use, as an arena would leave it.
  Superblock* TakeAndTouch(size_t pages) {
    Superblock* const superblock = central_.TakeSuperblock();
    FillPattern(superblock->base, pages * OsPageBytes(), 1);
    superblock->touched.SetRange(0, pages);
    return superblock;
  }

  void Give(Superblock* superblock) { central_.GiveSuperblock(superblock, os_.now()); }

  std::vector<Superblock*> Take(size_t count) {
    std::vector<Superblock*> taken;
    for (size_t i = 0; i < count; ++i) taken.push_back(central_.TakeSuperblock());
    return taken;
  }
};

// Arenas look for their own superblocks among all numbers.
TEST_F(CentralHeapTest, ANewSuperblockIsNobodys) {
  Superblock* const first = central_.TakeSuperblock();

  EXPECT_EQ(first->arena.load(), kNoArena);
}

TEST_F(CentralHeapTest, ANewSuperblockIsAlignedZeroAndInTheMap) {
  Superblock* const s = central_.TakeSuperblock();

  ASSERT_NE(s, nullptr);
  EXPECT_EQ(AddressOf(s->base) % kSuperblockBytes, 0u);
  EXPECT_TRUE(os_.IsMapped(s->base, kSuperblockBytes));
  EXPECT_EQ(map_.FindSuperblock(AddressOf(s->base)), s);
  EXPECT_EQ(map_.FindSuperblock(AddressOf(s->base) + kSuperblockBytes - 1), s);
  EXPECT_TRUE(IsZero(s->tables, sizeof *s->tables));
  EXPECT_EQ(s->touched.FindFrom(0), kMinPagesPerSuperblock);
  EXPECT_EQ(CountPagesWithMemory(s->base, kSuperblockBytes), 0u);
}

TEST_F(CentralHeapTest, EverySuperblockIsFoundByItsNumber) {
  const std::vector<Superblock*> taken = Take(30);

  std::set<uint32_t> numbers;
  for (Superblock* s : taken) {
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(central_.FromNumber(s->number), s);
    numbers.insert(s->number);
  }
  EXPECT_EQ(numbers.size(), taken.size());
  EXPECT_EQ(central_.mapped_bytes(), 30 * kSuperblockBytes);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

TEST_F(CentralHeapTest, WhatIsGivenBackIsTakenAgainWithItsMemory) {
  Superblock* const s = TakeAndTouch(3);

  Give(s);
  EXPECT_EQ(central_.free_superblocks(), 1u);
  EXPECT_EQ(central_.dirty_superblocks(), 1u);

  EXPECT_EQ(central_.TakeSuperblock(), s);
  EXPECT_EQ(FindDamage(s->base, 3 * OsPageBytes(), 1), kIntact);
  EXPECT_EQ(s->touched.CountRange(0, kMinPagesPerSuperblock), 3u);
  EXPECT_EQ(central_.free_superblocks(), 0u);
  EXPECT_EQ(central_.dirty_superblocks(), 0u);
}

TEST_F(CentralHeapTest, TheNewestComesFirst) {
  Superblock* const old = TakeAndTouch(1);
  Superblock* const young = TakeAndTouch(1);

  Give(old);
  Give(young);

  EXPECT_EQ(central_.TakeSuperblock(), young);
  EXPECT_EQ(central_.TakeSuperblock(), old);
}

TEST_F(CentralHeapTest, HugePagesAreAskedForWhereTheOsGivesThem) {
  os_.GiveHugePages(true);

  Superblock* const s = central_.TakeSuperblock(Pages::kHuge);

  EXPECT_EQ(s->pages, Pages::kHuge);
  EXPECT_TRUE(s->has_huge_pages);
  EXPECT_EQ(os_.bytes(FakeOs::kAdviseHuge), kSuperblockBytes);
}

TEST_F(CentralHeapTest, WhereTheOsHasNoHugePagesSmallOnesDo) {
  Superblock* const s = central_.TakeSuperblock(Pages::kHuge);

  EXPECT_EQ(s->pages, Pages::kSmall);
  EXPECT_FALSE(s->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);
}

TEST_F(CentralHeapTest, TheOptionTurnsHugePagesOff) {
  os_.GiveHugePages(true);
  g_options.huge_pages = 0;

  EXPECT_EQ(central_.TakeSuperblock(Pages::kHuge)->pages, Pages::kSmall);

  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 0u);
}

TEST_F(CentralHeapTest, WhatTheOsGivesSlowlyIsNotAskedForAgainForAWhile) {
  os_.GiveHugePages(true);
  os_.TakePerHugePage(HugePages::kQuick);

  Superblock* const slow = central_.TakeSuperblock(Pages::kHuge);

  EXPECT_EQ(slow->pages, Pages::kSmall);
  EXPECT_FALSE(slow->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseSmall), 1u);
  // One has come all the same.
  EXPECT_EQ(slow->touched.CountRange(0, kMinPagesPerSuperblock), kHugePageBytes / OsPageBytes());
  os_.TakePerHugePage(HugePages::kQuick - 1);
  EXPECT_FALSE(central_.TakeSuperblock(Pages::kHuge)->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 1u);
  os_.Advance(HugePages::kPause);
  EXPECT_TRUE(central_.TakeSuperblock(Pages::kHuge)->has_huge_pages);
}

TEST_F(CentralHeapTest, SmallPagesAreDearWhereThereAreHugeOnesAndTheyTakeLong) {
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(HugePages::kDear);

  EXPECT_TRUE(central_.SmallPagesAreDear());
  g_options.huge_pages = 0;
  EXPECT_FALSE(central_.SmallPagesAreDear());
}

TEST_F(CentralHeapTest, SmallPagesAreNotDearIfTheyComeQuickly) {
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(HugePages::kDear - 1);

  EXPECT_FALSE(central_.SmallPagesAreDear());
}

TEST_F(CentralHeapTest, SmallPagesAreNotDearWhereThereAreNoOthers) {
  os_.TakePerSmallPage(HugePages::kDear);

  EXPECT_FALSE(central_.SmallPagesAreDear());
}

// A hundred pages of 10 us in 2 MiB would take as long as one page of 1 ms; all of them take 5 ms.
TEST_F(CentralHeapTest, WhatIsSlowDependsOnTheSmallPages) {
  constexpr int64_t kSmallPage = 10'000;
  const auto all = static_cast<int64_t>(kHugePageBytes / OsPageBytes()) * kSmallPage;
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(kSmallPage);
  os_.TakePerHugePage(all);

  EXPECT_TRUE(central_.TakeSuperblock(Pages::kHuge)->has_huge_pages);
  os_.TakePerHugePage(2 * all);
  EXPECT_TRUE(central_.TakeSuperblock(Pages::kHuge)->has_huge_pages) << "once may be by chance";
  EXPECT_FALSE(central_.TakeSuperblock(Pages::kHuge)->has_huge_pages);
}

TEST_F(CentralHeapTest, NowAndThenOneMayBeSlowWhereSmallPagesAreDear) {
  os_.GiveHugePages(true);
  os_.TakePerSmallPage(HugePages::kDear);

  for (const int64_t time : {int64_t{1'000'000'000}, HugePages::kQuick, int64_t{1'000'000'000}}) {
    os_.TakePerHugePage(time);
    EXPECT_TRUE(central_.TakeSuperblock(Pages::kHuge)->has_huge_pages);
  }
}

TEST_F(CentralHeapTest, ASuperblockChangesItsPagesWithItsUse) {
  os_.GiveHugePages(true);
  Superblock* const s = central_.TakeSuperblock(Pages::kHuge);
  Give(s);

  ASSERT_EQ(central_.TakeSuperblock(Pages::kSmall), s);
  EXPECT_EQ(s->pages, Pages::kSmall);
  EXPECT_FALSE(s->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseSmall), 1u);
  Give(s);
  ASSERT_EQ(central_.TakeSuperblock(Pages::kHuge), s);

  EXPECT_TRUE(s->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 2u);
}

TEST_F(CentralHeapTest, OneThatHadHugePagesLosesThemWithTheOption) {
  os_.GiveHugePages(true);
  Superblock* const s = central_.TakeSuperblock(Pages::kHuge);
  Give(s);
  g_options.huge_pages = 0;

  ASSERT_EQ(central_.TakeSuperblock(Pages::kHuge), s);

  EXPECT_FALSE(s->has_huge_pages);
  EXPECT_EQ(os_.calls(FakeOs::kAdviseSmall), 1u);
}

TEST_F(CentralHeapTest, NewAddressesHaveSmallPagesAtFirst) {
  os_.GiveHugePages(true);
  Superblock* const s = central_.TakeSuperblock(Pages::kHuge);
  Give(s);
  ASSERT_EQ(central_.Unmap(), 1u);

  ASSERT_EQ(central_.TakeSuperblock(Pages::kHuge), s);

  EXPECT_EQ(os_.calls(FakeOs::kAdviseHuge), 2u);
}

TEST_F(CentralHeapTest, MemoryReturnsWhenItHasWaitedLongEnough) {
  Superblock* const s = TakeAndTouch(5);
  Give(s);

  os_.Advance(kAge - 1);
  EXPECT_EQ(central_.Release(os_.now(), kAge, kAll), 0u);
  EXPECT_EQ(CountPagesWithMemory(s->base, kSuperblockBytes), 5u);

  os_.Advance(1);
  EXPECT_EQ(central_.Release(os_.now(), kAge, kAll), 1u);
  EXPECT_EQ(CountPagesWithMemory(s->base, kSuperblockBytes), 0u);
  EXPECT_EQ(central_.dirty_superblocks(), 0u);
  EXPECT_EQ(central_.free_superblocks(), 1u);
  EXPECT_EQ(central_.returned_bytes(), kSuperblockBytes);
  EXPECT_EQ(central_.mapped_bytes(), kSuperblockBytes);
}

TEST_F(CentralHeapTest, MemoryReturnsOnce) {
  Give(TakeAndTouch(1));
  EXPECT_EQ(central_.Release(os_.now(), 0, kAll), 1u);

  EXPECT_EQ(central_.Release(os_.now() + kAge, 0, kAll), 0u);

  EXPECT_EQ(central_.returned_bytes(), kSuperblockBytes);
}

TEST_F(CentralHeapTest, AReleasedSuperblockIsTakenAgainAsZero) {
  Superblock* const s = TakeAndTouch(5);
  Give(s);
  central_.Release(os_.now(), 0, kAll);

  EXPECT_EQ(central_.TakeSuperblock(), s);

  EXPECT_EQ(s->touched.FindFrom(0), kMinPagesPerSuperblock);
  EXPECT_TRUE(IsZero(s->base, 5 * OsPageBytes()));
  EXPECT_TRUE(IsZero(s->tables, sizeof *s->tables));
}

TEST_F(CentralHeapTest, ASuperblockWithMemoryIsPreferredToOneWithout) {
  Superblock* const clean = TakeAndTouch(1);
  Superblock* const dirty = TakeAndTouch(1);
  Give(clean);
  central_.Release(os_.now(), 0, kAll);
  Give(dirty);

  EXPECT_EQ(central_.TakeSuperblock(), dirty);
  EXPECT_EQ(central_.TakeSuperblock(), clean);
}

TEST_F(CentralHeapTest, ReleaseStopsAtItsLimit) {
  for (Superblock* s : Take(5)) Give(s);

  EXPECT_EQ(central_.Release(os_.now(), 0, 2), 2u);
  EXPECT_EQ(central_.dirty_superblocks(), 3u);
  EXPECT_EQ(central_.Release(os_.now(), 0, kAll), 3u);
}

TEST_F(CentralHeapTest, OnlyTheOldOnesAreReleased) {
  Superblock* const old = TakeAndTouch(1);
  Superblock* const young = TakeAndTouch(1);
  Give(old);
  os_.Advance(kAge);
  Give(young);

  EXPECT_EQ(central_.Release(os_.now(), kAge, kAll), 1u);

  EXPECT_EQ(CountPagesWithMemory(old->base, kSuperblockBytes), 0u);
  EXPECT_EQ(CountPagesWithMemory(young->base, kSuperblockBytes), 1u);
}

TEST_F(CentralHeapTest, WhatWasGivenBackAfterTheClockWasReadIsNotOld) {
  const Milliseconds read = os_.now();
  os_.Advance(1);
  Give(TakeAndTouch(1));

  EXPECT_EQ(central_.Release(read, kAge, kAll), 0u);
}

TEST_F(CentralHeapTest, PagesOfARefusedDecommitStillCountAsTouched) {
  Superblock* const s = TakeAndTouch(5);
  Give(s);
  os_.RefuseEvery(FakeOs::kDecommit);

  central_.Release(os_.now(), 0, kAll);

  EXPECT_EQ(central_.TakeSuperblock(), s);
  EXPECT_EQ(s->touched.CountRange(0, kMinPagesPerSuperblock), 5u);
  EXPECT_EQ(FindDamage(s->base, 5 * OsPageBytes(), 1), kIntact);
}

TEST_F(CentralHeapTest, PagesThatWereReturnedLazilyStillCountAsTouched) {
  g_options.madv_free = 1;
  Superblock* const s = TakeAndTouch(5);
  Give(s);

  EXPECT_EQ(central_.Release(os_.now(), 0, kAll), 1u);

  EXPECT_EQ(central_.TakeSuperblock(), s);
  EXPECT_EQ(s->touched.CountRange(0, kMinPagesPerSuperblock), 5u);
}

TEST_F(CentralHeapTest, UnmapGivesTheAddressesOfAllFreeOnesBack) {
  const std::vector<Superblock*> taken = Take(4);
  std::byte* const bases[] = {taken[0]->base, taken[1]->base, taken[2]->base, taken[3]->base};
  Give(taken[0]);
  central_.Release(os_.now(), 0, kAll);
  Give(taken[1]);
  Give(taken[2]);

  EXPECT_EQ(central_.Unmap(), 3u);

  for (int i = 0; i < 3; ++i) EXPECT_EQ(map_.FindSuperblock(AddressOf(bases[i])), nullptr);
  EXPECT_EQ(map_.FindSuperblock(AddressOf(bases[3])), taken[3]);
  EXPECT_EQ(central_.mapped_bytes(), kSuperblockBytes);
  EXPECT_EQ(central_.free_superblocks(), 0u);
  EXPECT_EQ(central_.dirty_superblocks(), 0u);
  EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
}

TEST_F(CentralHeapTest, DescriptorsOfUnmappedSuperblocksAreUsedAgain) {
  for (Superblock* s : Take(10)) Give(s);
  central_.Unmap();
  const size_t before = metadata_.mapped_bytes();

  for (int round = 0; round < 20; ++round) {
    for (Superblock* s : Take(10)) {
      ASSERT_NE(s, nullptr);
      EXPECT_TRUE(IsZero(s->tables, sizeof *s->tables));
      EXPECT_EQ(central_.FromNumber(s->number), s);
      s->tables->tag(0).length = kGranulesPerSuperblock;
      Give(s);
    }
    EXPECT_EQ(central_.Unmap(), 10u);
  }

  EXPECT_EQ(metadata_.mapped_bytes(), before);
}

TEST_F(CentralHeapTest, ASuperblockThatCannotBeUnmappedIsKeptAndUsable) {
  Superblock* const s = TakeAndTouch(2);
  Give(s);
  os_.RefuseEvery(FakeOs::kUnmap);

  EXPECT_EQ(central_.Unmap(), 0u);

  EXPECT_EQ(central_.free_superblocks(), 1u);
  EXPECT_EQ(central_.mapped_bytes(), kSuperblockBytes);
  EXPECT_EQ(central_.TakeSuperblock(), s);
  EXPECT_EQ(map_.FindSuperblock(AddressOf(s->base)), s);
  EXPECT_TRUE(IsZero(s->base, 2 * OsPageBytes()));
  EXPECT_EQ(central_.free_superblocks(), 0u);
}

TEST_F(CentralHeapTest, ARefusalAtAnyCallIsNullAndNothingIsLost) {
  // A ninth superblock needs every kind of table anew: a chunk of descriptors among them.
  const std::vector<Superblock*> eight = Take(8);
  for (size_t n = 1;; ++n) {
    SCOPED_TRACE(n);
    const size_t before = os_.refusals();
    os_.RefuseAny(n);

    Superblock* const s = central_.TakeSuperblock();

    os_.RefuseNothing();
    const bool refused = os_.refusals() != before;
    ASSERT_TRUE(refused || s != nullptr);
    EXPECT_EQ(central_.mapped_bytes(), (s != nullptr ? 9 : 8) * kSuperblockBytes);
    EXPECT_GE(os_.mapped_bytes(), HeldBytes());
    // An address that the OS did not take back may be lost, but no more than that.
    EXPECT_LE(os_.mapped_bytes(), HeldBytes() + n * 2 * kSuperblockBytes);
    if (s == nullptr) continue;
    EXPECT_EQ(map_.FindSuperblock(AddressOf(s->base)), s);
    if (!refused) break;
    Give(s);
    ASSERT_EQ(central_.Unmap(), 1u);
  }
}

TEST_F(CentralHeapTest, ARefusedEntryInTheMapGivesTheMappingBack) {
  for (int i = 0; i < 3; ++i) {
    os_.Refuse(FakeOs::kAllow);
    EXPECT_EQ(central_.TakeSuperblock(), nullptr);
    EXPECT_EQ(os_.mapped_bytes(), HeldBytes());
    EXPECT_EQ(central_.mapped_bytes(), 0u);
  }
  const size_t before = metadata_.mapped_bytes();

  Superblock* const s = central_.TakeSuperblock();

  // With the descriptor, and the tables, of the first try. Only the map had not come so far.
  const size_t kMapsLeaf = RoundUp(AddressMap::kLeafBytes, OsPageBytes());
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->number, 0u);
  EXPECT_EQ(metadata_.mapped_bytes(), before + kMapsLeaf);
}

TEST_F(CentralHeapTest, FailingAgainAndAgainUsesUpNoMetadata) {
  // The first map is that of the descriptors, the second that of the tables, the third the
  // superblock's.
  os_.Refuse(FakeOs::kMap, 3);
  EXPECT_EQ(central_.TakeSuperblock(), nullptr);
  const size_t before = metadata_.mapped_bytes();
  os_.RefuseEvery(FakeOs::kMap);

  for (int i = 0; i < 20; ++i) EXPECT_EQ(central_.TakeSuperblock(), nullptr);

  EXPECT_EQ(metadata_.mapped_bytes(), before);
  os_.RefuseNothing();
  Superblock* const s = central_.TakeSuperblock();
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->number, 0u);
}

TEST_F(CentralHeapTest, WithoutAUnitMapSuperblocksCanStillBeTaken) {
  AddressMap map;
  os_.RefuseEvery(FakeOs::kReserve);
  map.Initialize(os_.ops());
  auto central = std::make_unique<CentralHeap>(os_.ops(), metadata_, map);

  Superblock* const s = central->TakeSuperblock();

  ASSERT_NE(s, nullptr);
  EXPECT_FALSE(map.Covers(AddressOf(s->base)));
  EXPECT_EQ(map.FindSuperblock(AddressOf(s->base)), s);
}

}  // namespace
}  // namespace cma
