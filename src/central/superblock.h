// What cma knows of a superblock, kept outside of it: the boundary tags of its runs, the bitmaps
// of its slabs, and which of its OS pages may hold memory.
//
// Ownership: an arena while it is in use (guarded by that arena's lock), else the central heap.
// `arena` is the exception: any thread may read it to find the way home for a block, which is
// safe because a superblock with a live block in it does not change hands.
#ifndef CMA_CENTRAL_SUPERBLOCK_H_
#define CMA_CENTRAL_SUPERBLOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/bits.h"
#include "base/constants.h"
#include "base/intrusive_list.h"

namespace cma {

struct Superblock;

// A run cut into equal blocks. One bit per block says whether it is free: no link or header
// lies in user memory.
struct Slab : ListNode<Slab> {
  Superblock* superblock;
  std::byte* base;
  uint16_t block_bytes;    // 0: this unit is not a slab
  uint16_t capacity;       // blocks
  uint16_t free_blocks;
  uint16_t touched_pages;  // bit i: page i of the slab may hold memory
  uint16_t aged_pages;     // bit i: page i had no live block at the last sweep
  uint8_t fullness;        // list that it is in, kNotListed if none
  uint8_t size_class;
  bool is_mixed;           // slabs/mixed_slab.h
  uint16_t longest_hole;   // of a mixed slab, in blocks, as far as it is known
  uint64_t nonempty_words;  // bit i: bitmap word i has a free block
};

// State of a run, in its tag.
enum class RunState : uint8_t { kNone, kFree, kUsed, kSlab };

// Boundary tag at a run's first slot. `length` in granules. The run starts `offset` bytes into the
// slot: as the highest bits they meet those of an address that is shifted left, whole.
struct RunTag {
  uint32_t length : 17;
  uint32_t state : 2;
  uint32_t unused : 3;
  uint32_t offset : 10;
};

// Links of a free run in its bin: (superblock number << 12 | slot) + 1, 0 = none.
struct RunLinks {
  uint32_t next;
  uint32_t prev;
};

// What is known of a slot: of the run that starts in it, and of the one that ends in it. Together,
// as a run is looked at with its neighbours. (Of a unit's first and last slot: of the run that
// starts in the first, and of the one that ends in the last.)
struct Slot {
  RunTag tag;
  RunLinks links;
  uint16_t run_ending_here;  // its first granule
};

// Bitmaps of the slabs with up to kBits blocks; bit set: the block is free.
template <size_t kBits>
using SlabBitmaps = uint64_t[kUnitsPerSuperblock][kBits / 64];

// The tables of one superblock: large, zero, and touched only where there is something. Slabs are
// taken from above, runs from below, and a small heap has few of both: what it needs for them is
// to share pages, so the ends that are used first meet.
//
// Bitmaps are kept apart by their length, so that slabs of larger blocks fill fewer pages with
// theirs. What slabs need, the first slots of units and the last ones, lies apart from the others.
struct SuperblockTables {
  static constexpr uint32_t kSlotsPerUnit = kUnitBytes / kSlotBytes;

  Slab slabs[kUnitsPerSuperblock];
  Slot unit_slots[kUnitsPerSuperblock];
  SlabBitmaps<512> bits512;  // the last unit's first; so are those of 2048
  SlabBitmaps<1024> bits1024;
  SlabBitmaps<2048> bits2048;
  SlabBitmaps<kUnitBytes / kMinAlignment> bits4096;
  Slot slots[kSlotsPerSuperblock];
  // Where the blocks of mixed slabs begin and end: a bit for each kMinAlignment bytes. Whoever
  // frees one reads them without a lock, and two words at once: hence the last one, which is always
  // 0.
  static constexpr size_t kEdgeWordsPerSlab = kUnitBytes / kMinAlignment / 64;
  std::atomic<uint64_t> edges[kUnitsPerSuperblock * kEdgeWordsPerSlab + 1];

  // Of the slab in a unit, with so many blocks.
  uint64_t* SlabBits(size_t unit, size_t capacity) {
    if (capacity <= 512) return bits512[kUnitsPerSuperblock - 1 - unit];
    if (capacity <= 1024) return bits1024[unit];
    return capacity <= 2048 ? bits2048[kUnitsPerSuperblock - 1 - unit] : bits4096[unit];
  }

  // Of the run that starts in the slot.
  RunTag& tag(uint32_t slot) { return WithStart(slot).tag; }
  RunLinks& links(uint32_t slot) { return WithStart(slot).links; }
  // First granule of the run whose end is in the slot.
  uint16_t& run_ending_in(uint32_t slot) {
    return (slot % kSlotsPerUnit == kSlotsPerUnit - 1 ? unit_slots[slot / kSlotsPerUnit]
                                                      : slots[slot])
        .run_ending_here;
  }
  Slot& WithStart(uint32_t slot) {
    return slot % kSlotsPerUnit == 0 ? unit_slots[slot / kSlotsPerUnit] : slots[slot];
  }
};

// What a superblock is for: by what pages of the OS the memory would best come.
enum class Pages : uint8_t { kSmall, kHuge };

// Where in a superblock it is used first: slabs are taken from above, runs from below.
enum class Ends : uint8_t { kUpper, kLower };

struct Superblock : ListNode<Superblock> {
  // Read by every thread that frees a block here, and hardly ever written: in lines of their own.
  alignas(64) std::byte* base;
  SuperblockTables* tables;
  uint32_t number;
  std::atomic<uint16_t> arena;     // owner; see above
  Pages pages;                     // does not change while an arena has it
  // The OS was asked for huge pages, and they are whole: `touched` is in steps of those.
  bool has_huge_pages;

  // Whether a sweep is to look at it, and at which units: where something was freed, pages were
  // aged, or came with a huge one, since the last sweep. A slab is in its unit, a free run in the
  // one that it begins in. Units but no need: huge pages that are not worth breaking for them.
  alignas(64) bool needs_sweep;
  uint8_t sweep_unit;              // where a round that ran out of budget goes on: at the runs
  uint16_t sweep_page;             // that begin in this unit, from this page on
  uint32_t sweep_round;            // last round that has swept it
  uint64_t unswept_units;
  Milliseconds idle_since;         // central heap: when it was given back
  BitSet<kMinPagesPerSuperblock> touched;  // bit i: page i (of the OS's size) may hold memory
  BitSet<kMinPagesPerSuperblock> aged;     // bit i: page i was free and touched at the last sweep

  void NoteForSweep(size_t unit) {
    needs_sweep = true;
    unswept_units |= uint64_t{1} << unit;
  }
};
static_assert(kUnitsPerSuperblock == 64);

inline constexpr uint8_t kNotListed = 0xff;
inline constexpr uint16_t kNoArena = 0xffff;  // Superblock::arena in the central heap

}  // namespace cma

#endif  // CMA_CENTRAL_SUPERBLOCK_H_
