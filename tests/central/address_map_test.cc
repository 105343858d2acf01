#include "central/address_map.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/constants.h"
#include "support/fake_os.h"

namespace cma {
namespace {

using cma_test::FakeOs;

// No memory has to lie where a superblock is entered: the map never looks.
constexpr uintptr_t kBase = 0x123 * kSuperblockBytes * 1000;

struct FakeSuperblock : Superblock {
  explicit FakeSuperblock(uintptr_t address) : Superblock() {
    base = reinterpret_cast<std::byte*>(address);
  }
};

class AddressMapTest : public testing::Test {
 protected:
  AddressMapTest() { map_.Initialize(os_.ops()); }

  FakeOs os_;
  Metadata metadata_{os_.ops()};
  AddressMap map_;
};

TEST_F(AddressMapTest, NothingIsEnteredAtFirst) {
  for (const uintptr_t address : {uintptr_t{0}, uintptr_t{1}, kBase, AddressOf(this)}) {
    EXPECT_EQ(map_.FindSuperblock(address), nullptr);
    ASSERT_TRUE(map_.Covers(address));
    EXPECT_EQ(map_.Unit(address), 0u);
  }
}

TEST_F(AddressMapTest, EveryAddressOfASuperblockFindsIt) {
  FakeSuperblock superblock(kBase);

  ASSERT_TRUE(map_.Register(&superblock, metadata_));

  EXPECT_EQ(map_.FindSuperblock(kBase), &superblock);
  EXPECT_EQ(map_.FindSuperblock(kBase + kSuperblockBytes / 2 + 7), &superblock);
  EXPECT_EQ(map_.FindSuperblock(kBase + kSuperblockBytes - 1), &superblock);
  EXPECT_EQ(map_.FindSuperblock(kBase - 1), nullptr);
  EXPECT_EQ(map_.FindSuperblock(kBase + kSuperblockBytes), nullptr);
}

TEST_F(AddressMapTest, NeighboursAndDistantSuperblocksAreKeptApart) {
  FakeSuperblock low(kSuperblockBytes);
  FakeSuperblock first(kBase);
  FakeSuperblock second(kBase + kSuperblockBytes);
  FakeSuperblock highest((uintptr_t{1} << kAddressBits) - kSuperblockBytes);
  for (FakeSuperblock* s : {&low, &first, &second, &highest}) {
    ASSERT_TRUE(map_.Register(s, metadata_));
  }

  map_.Unregister(&first);

  EXPECT_EQ(map_.FindSuperblock(kBase), nullptr);
  for (FakeSuperblock* s : {&low, &second, &highest}) {
    EXPECT_EQ(map_.FindSuperblock(AddressOf(s->base) + 99), s);
  }
}

TEST_F(AddressMapTest, AddressesThatNoProgramHasAreNotCoveredAndFindNothing) {
  for (const uintptr_t address :
       {uintptr_t{1} << kAddressBits, uintptr_t{1} << 63, ~uintptr_t{0}}) {
    EXPECT_FALSE(map_.Covers(address));
    EXPECT_EQ(map_.FindSuperblock(address), nullptr);
  }
  EXPECT_TRUE(map_.Covers((uintptr_t{1} << kAddressBits) - 1));
}

TEST_F(AddressMapTest, ASuperblockBeyondTheAddressSpaceIsRefused) {
  FakeSuperblock superblock(uintptr_t{1} << kAddressBits);

  EXPECT_FALSE(map_.Register(&superblock, metadata_));
}

TEST_F(AddressMapTest, AUnitsEntryHoldsForItsBytesOnly) {
  FakeSuperblock superblock(kBase);
  ASSERT_TRUE(map_.Register(&superblock, metadata_));
  const uintptr_t unit = kBase + 3 * kUnitBytes;

  map_.SetUnit(unit, AddressMap::OwnerTag(ArenaId{5}) | 48, 3);

  for (const uintptr_t address : {unit, unit + 1, unit + kUnitBytes - 1}) {
    EXPECT_EQ(map_.Unit(address), AddressMap::OwnerTag(ArenaId{5}) | 48);
    EXPECT_EQ(map_.TimesReciprocal(address, 7), 21u);
  }
  EXPECT_EQ(map_.Unit(unit - 1), 0u);
  EXPECT_EQ(map_.Unit(unit + kUnitBytes), 0u);
  map_.ClearUnit(unit);
  EXPECT_EQ(map_.Unit(unit), 0u);
}

TEST_F(AddressMapTest, AllUnitsOfASuperblockCanBeSet) {
  // The last one in a piece of the unit map, and the first one in the next.
  constexpr uintptr_t kPieceSpan = 2 * kMiB / sizeof(UnitEntry) * kUnitBytes;
  FakeSuperblock last(kPieceSpan * 7 - kSuperblockBytes);
  FakeSuperblock first(kPieceSpan * 7);
  for (FakeSuperblock* s : {&last, &first}) {
    ASSERT_TRUE(map_.Register(s, metadata_));
    for (size_t i = 0; i < kUnitsPerSuperblock; ++i) {
      const uintptr_t unit = AddressOf(s->base) + i * kUnitBytes;

      map_.SetUnit(unit, static_cast<uint32_t>(i) + 1, 0);

      EXPECT_EQ(map_.Unit(unit), i + 1);
    }
  }
}

TEST_F(AddressMapTest, AnEntryGivesItsOwnerAndItsSizeClassBack) {
  for (size_t arena = 0; arena < kMaxArenas; ++arena) {
    const auto id = static_cast<ArenaId>(arena);
    for (const uint32_t c : {1u, 3u, 32u}) {
      const uint32_t entry = AddressMap::OwnerTag(id) | c;

      EXPECT_EQ(AddressMap::Owner(entry), id);
      EXPECT_EQ(AddressMap::SizeClassOf(entry), c);
      EXPECT_NE(entry, 0u);
    }
  }
}

TEST_F(AddressMapTest, OnlyTheOwnersTagLeavesASizeClass) {
  const uint32_t tags[] = {AddressMap::OwnerTag(ArenaId{0}), AddressMap::OwnerTag(ArenaId{1}),
                           AddressMap::OwnerTag(ArenaId{kMaxArenas - 1}), AddressMap::kNoOwner};
  for (const uint32_t tag : tags) {
    for (const uint32_t owner : tags) {
      for (const uint32_t c : {1u, 32u, 0xffffu}) {
        const uint32_t rest = (owner | c) ^ tag;
        if (owner == tag) {
          EXPECT_EQ(rest, c);
        } else {
          EXPECT_GT(rest, 0xffffu);
        }
      }
    }
    // What is no slab of small blocks.
    EXPECT_GT(0u ^ tag, 0xffffu);
  }
}

TEST_F(AddressMapTest, APieceOfTheUnitMapIsMadeWritableOnce) {
  for (uintptr_t i = 0; i < 100; ++i) {
    FakeSuperblock superblock(kBase + i * kSuperblockBytes);
    ASSERT_TRUE(map_.Register(&superblock, metadata_));
    map_.Unregister(&superblock);
  }

  EXPECT_EQ(os_.calls(FakeOs::kAllow), 1u);
}

TEST_F(AddressMapTest, ARefusedPieceFailsAndTheNextTryWorks) {
  FakeSuperblock superblock(kBase);
  os_.Refuse(FakeOs::kAllow);

  EXPECT_FALSE(map_.Register(&superblock, metadata_));
  EXPECT_EQ(map_.FindSuperblock(kBase), nullptr);

  EXPECT_TRUE(map_.Register(&superblock, metadata_));
  EXPECT_EQ(map_.FindSuperblock(kBase), &superblock);
  map_.SetUnit(kBase, 77, 0);
  EXPECT_EQ(map_.Unit(kBase), 77u);
}

TEST_F(AddressMapTest, ARefusedTableFailsAndTheNextTryWorks) {
  FakeSuperblock superblock(kBase);
  os_.Refuse(FakeOs::kMap);

  EXPECT_FALSE(map_.Register(&superblock, metadata_));
  EXPECT_EQ(map_.FindSuperblock(kBase), nullptr);

  EXPECT_TRUE(map_.Register(&superblock, metadata_));
  EXPECT_EQ(map_.FindSuperblock(kBase), &superblock);
}

TEST_F(AddressMapTest, TheFreeKeyIsNoSmallNumber) { EXPECT_GT(map_.FreeKey(), 4096u); }

// As under ulimit -v.
class AddressMapWithoutUnitsTest : public testing::Test {
 protected:
  AddressMapWithoutUnitsTest() {
    os_.RefuseEvery(FakeOs::kReserve);
    os_.RefuseEvery(FakeOs::kAllow);
    map_.Initialize(os_.ops());
  }

  FakeOs os_;
  Metadata metadata_{os_.ops()};
  AddressMap map_;
};

TEST_F(AddressMapWithoutUnitsTest, NoAddressIsCovered) {
  for (const uintptr_t address : {uintptr_t{0}, kBase, ~uintptr_t{0}}) {
    EXPECT_FALSE(map_.Covers(address));
  }
}

TEST_F(AddressMapWithoutUnitsTest, SuperblocksAreFoundAsEver) {
  FakeSuperblock superblock(kBase);

  ASSERT_TRUE(map_.Register(&superblock, metadata_));

  EXPECT_EQ(map_.FindSuperblock(kBase + 1), &superblock);
  map_.Unregister(&superblock);
  EXPECT_EQ(map_.FindSuperblock(kBase + 1), nullptr);
}

TEST_F(AddressMapWithoutUnitsTest, SettingAUnitDoesNothing) {
  FakeSuperblock superblock(kBase);
  ASSERT_TRUE(map_.Register(&superblock, metadata_));

  map_.SetUnit(kBase, 77, 0);

  EXPECT_FALSE(map_.Covers(kBase));
}

TEST_F(AddressMapWithoutUnitsTest, TheFreeKeyIsStillAnAddress) { EXPECT_GT(map_.FreeKey(), 4096u); }

}  // namespace
}  // namespace cma
