// From an address to what lies there.
//
// Two tables. The unit map answers the hit path of free with one load: 32 bits for every 64 KiB
// of address space, the block size if that unit is a slab of small blocks and 0 for everything
// else. It is reserved flat and read-only, so it costs neither memory nor commit charge, and is
// made writable in pieces where superblocks come to lie. Where address space is limited
// (ulimit -v) it is left out: its limit is then 0, every free takes the second table.
//
// The superblock table has two levels and finds the superblock of an address.
//
// Thread-safe. Entries are written before the first block in their unit is given out, and a
// thread that frees a block has received it from the one that got it: plain (relaxed) loads do.
#ifndef CMA_CENTRAL_ADDRESS_MAP_H_
#define CMA_CENTRAL_ADDRESS_MAP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "central/metadata.h"
#include "central/superblock.h"

namespace cma {

class AddressMap {
 public:
  constexpr AddressMap() = default;

  // Reserves the unit map. Call once, before the first allocation, with a lock held.
  void Initialize(const OsOps& os);

  // Whether the unit map has an entry for the address.
  static bool Covers(uintptr_t address) { return address >> kUnitShift < limit_; }

  // Entry of a slab of small blocks: exclusive-or with OwnerTag(arena) leaves the block size for
  // that arena's slabs, and more than any block size for everything else.
  static constexpr uint32_t OwnerTag(ArenaId arena) {
    return (static_cast<uint32_t>(arena) + 1) << 16;
  }
  // The two parts of an entry that is not 0.
  static constexpr uint32_t BlockBytes(uint32_t unit) { return unit & 0xffff; }
  static constexpr ArenaId Owner(uint32_t unit) { return static_cast<ArenaId>((unit >> 16) - 1); }
  // The tag of nobody.
  static constexpr uint32_t kNoOwner = uint32_t{0xffff} << 16;

  // The entry for the address. REQUIRES: Covers(address).
  static uint32_t Unit(uintptr_t address) {
    return units_[address >> kUnitShift].load(std::memory_order_relaxed);
  }

  // A number that every thread knows and no program does: marks free blocks.
  static uint64_t FreeKey() { return reinterpret_cast<uintptr_t>(units_); }

  // REQUIRES: the superblock of `address` is registered.
  void SetUnit(uintptr_t address, uint32_t entry) {
    const uintptr_t unit = address >> kUnitShift;
    if (unit < limit_) units_[unit].store(entry, std::memory_order_relaxed);
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

  // Makes room in both tables for a superblock at `base` and enters it; false if the OS refuses.
  // REQUIRES: one caller at a time.
  [[nodiscard]] bool Register(Superblock* superblock, Metadata& metadata);
  void Unregister(const Superblock* superblock);

 private:
  static constexpr size_t kLeafEntries = 1024;
  static constexpr size_t kLeaves = (size_t{1} << (kAddressBits - kSuperblockShift)) / kLeafEntries;
  struct Leaf {
    std::atomic<Superblock*> entries[kLeafEntries];
  };
  static_assert(sizeof(Leaf) <= Metadata::kMaxBytes);

  bool AllowUnits(uintptr_t address);

  // Static: the hit path then finds each in one instruction. There is one map for a process.
  inline static constinit std::atomic<uint32_t>* units_ = nullptr;
  inline static constinit uintptr_t limit_ = 0;  // units in the map

  const OsOps* os_ = nullptr;
  // One bit for each writable piece of the unit map (2 MiB, 32 GiB of address space).
  std::atomic<uint64_t> allowed_[(size_t{1} << (kAddressBits - 35)) / 64] = {};
  std::atomic<Leaf*> leaves_[kLeaves] = {};
};

// Where the hit path finds the unit map.
extern AddressMap g_address_map;

}  // namespace cma

#endif  // CMA_CENTRAL_ADDRESS_MAP_H_
