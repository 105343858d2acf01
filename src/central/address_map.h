// From an address to what lies there.
//
// Two tables. The unit map answers the hit path of free with one line of memory: 8 bytes for every
// 64 KiB of address space, owner, size class and the reciprocal of the block size if that unit is a
// slab of small blocks, and 0 for everything else. It is reserved flat and read-only, so it costs
// neither memory nor commit charge, and is made writable in pieces where superblocks come to lie.
// Where address space is limited (ulimit -v) it is left out: all addresses then share one entry of
// 0, and every free takes the second table.
//
// The superblock table has two levels and finds the superblock of an address.
//
// Thread-safe. Entries are written before the first block in their unit is given out, and a
// thread that frees a block has received it from the one that got it: plain (relaxed) loads do, and
// the two halves of an entry belong together.
#ifndef CMA_CENTRAL_ADDRESS_MAP_H_
#define CMA_CENTRAL_ADDRESS_MAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "central/metadata.h"
#include "central/superblock.h"
#include "os/instructions.h"

namespace cma {

// What the unit map knows of 64 KiB.
struct UnitEntry {
  std::atomic<uint32_t> unit;
  std::atomic<uint32_t> reciprocal;
};
// Stands in for the unit map where there is none, and until there is one: a line of zeros.
extern UnitEntry g_no_unit_entries[kIsolation / sizeof(UnitEntry)];

class AddressMap {
 public:
  constexpr AddressMap() = default;

  // Reserves the unit map. Call once, before the first allocation, with a lock held.
  void Initialize(const OsOps& os);

  // Whether the unit map has an entry of its own for the address.
  static bool Covers(uintptr_t address) {
    return mask_ != 0 && address >> kUnitShift <= mask_;
  }

  // First half of a slab's entry: exclusive-or with OwnerTag(arena) leaves the size class for that
  // arena's slabs, and something in the upper 16 bits for everything else.
  static constexpr uint32_t OwnerTag(ArenaId arena) {
    return (static_cast<uint32_t>(arena) + 1) << 16;
  }
  // The two parts of an entry that is not 0.
  static constexpr uint32_t SizeClassOf(size_t unit) { return static_cast<uint16_t>(unit); }
  static constexpr ArenaId Owner(uint32_t unit) { return static_cast<ArenaId>((unit >> 16) - 1); }
  // The owner's number plus one: 0 for an entry that is 0.
  static constexpr size_t PlaceOf(size_t unit) { return unit >> 16; }
  // The tag of nobody.
  static constexpr uint32_t kNoOwner = uint32_t{0xffff} << 16;

  // The entry's first half. Of an address that the map does not cover: that of another one.
  static uint32_t Unit(uintptr_t address) {
    return EntryOf(address).unit.load(std::memory_order_relaxed);
  }
  // The same, and 0 for an address that the map does not cover. Acquire pairs with the release in
  // SetUnit(): what a slab has become can be read if its entry has changed.
  static uint32_t SettledUnit(uintptr_t address) {
    return Covers(address) ? EntryOf(address).unit.load(std::memory_order_acquire) : 0;
  }
  // `offset` times the second half, which is kReciprocal of the size class; modulo 2^32.
  static uint64_t TimesReciprocal(uintptr_t address, uint32_t offset) {
    return TimesLoaded(offset, &EntryOf(address).reciprocal);
  }

  // A number that every thread knows and no program does: marks free blocks.
  static uint64_t FreeKey() { return reinterpret_cast<uintptr_t>(entries_); }

  // Makes the unit a slab's, and none's. REQUIRES: the superblock of `address` is registered.
  void SetUnit(uintptr_t address, uint32_t unit, uint32_t reciprocal) {
    if (!Covers(address)) return;
    EntryOf(address).reciprocal.store(reciprocal, std::memory_order_relaxed);
    EntryOf(address).unit.store(unit, std::memory_order_release);
  }
  void ClearUnit(uintptr_t address) {
    if (Covers(address)) EntryOf(address).unit.store(0, std::memory_order_relaxed);
  }

  // nullptr if no superblock lies there.
  Superblock* FindSuperblock(uintptr_t address) const {
    const uintptr_t index = address >> kSuperblockShift;
    if (index >= kLeaves * kLeafEntries) [[unlikely]] return nullptr;
    // Acquire pairs with the release in Register().
    const Leaf* leaf = leaves_[index / kLeafEntries].load(std::memory_order_acquire);
    if (leaf == nullptr) return nullptr;
    return leaf->entries[index % kLeafEntries].load(std::memory_order_acquire);
  }

  // The same. REQUIRES: SettledUnit(address) is not 0.
  Superblock* SuperblockOfSlab(uintptr_t address) const {
    const uintptr_t index = address >> kSuperblockShift;
    const Leaf* leaf = leaves_[index / kLeafEntries].load(std::memory_order_acquire);
    return leaf->entries[index % kLeafEntries].load(std::memory_order_acquire);
  }

  // Makes room in both tables for a superblock at `base` and enters it; false if the OS refuses.
  // REQUIRES: one caller at a time.
  [[nodiscard]] bool Register(Superblock* superblock, Metadata& metadata);
  void Unregister(const Superblock* superblock);

  // What Register() may need of the metadata, in bytes.
  static constexpr size_t kLeafBytes = 8 * kKiB;

 private:
  static constexpr size_t kLeafEntries = 1024;
  static constexpr size_t kLeaves = (size_t{1} << (kAddressBits - kSuperblockShift)) / kLeafEntries;
  struct Leaf {
    std::atomic<Superblock*> entries[kLeafEntries];
  };
  static_assert(sizeof(Leaf) == kLeafBytes);
  static UnitEntry& EntryOf(uintptr_t address) { return entries_[(address >> kUnitShift) & mask_]; }
  bool AllowUnits(uintptr_t address);

  // Static: the hit path then finds each in one instruction. There is one map for a process.
  inline static constinit UnitEntry* entries_ = g_no_unit_entries;
  inline static constinit uintptr_t mask_ = 0;  // entries in the map, less 1

  const OsOps* os_ = nullptr;
  // One bit for each writable piece of the unit map.
  static constexpr unsigned kPieceShift = 34;  // 16 GiB of address space, 2 MiB of the map
  std::atomic<uint64_t> allowed_[(size_t{1} << (kAddressBits - kPieceShift)) / 64] = {};
  std::atomic<Leaf*> leaves_[kLeaves] = {};
};

// Where the hit path finds the unit map.
extern AddressMap g_address_map;

}  // namespace cma

#endif  // CMA_CENTRAL_ADDRESS_MAP_H_
