// One size class's free blocks in a thread cache: a stack of addresses.
//
// The addresses lie in an array of the cache, not in the blocks: nothing the program writes
// through a stale pointer can misdirect it, taking a block does not wait for the block's memory,
// and blocks fresh from the OS are listed without being touched.
//
//   slots: [0] [block] [block] [block] [ ? ] [ ? ] [kFull]
//           ^ bottom mark              ^ top        ^ behind the capacity
#ifndef CMA_ARENA_BLOCK_LIST_H_
#define CMA_ARENA_BLOCK_LIST_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "os/instructions.h"
#include "slabs/size_classes.h"

namespace cma {

// Marks at the ends; no block has these addresses.
inline constexpr uintptr_t kBottomMark = 0;
inline constexpr uintptr_t kFullMark = 1;

using BlockList = Cursor;  // the slot that the next Push fills

// The array of every list that is not in use: empty and full at once. Read by all threads and
// never written; what is written shares no line with it.
struct alignas(kIsolation) EmptySlots {
  uintptr_t slots[kIsolation / sizeof(uintptr_t)] = {kBottomMark, kFullMark};
};
extern EmptySlots g_empty_slots;
inline constexpr uintptr_t* g_no_slots = g_empty_slots.slots;

// One list of each size class, none of them in use. Never written either.
struct NoLists : std::array<BlockList, kSizeClasses> {
  constexpr NoLists() { fill(BlockList(g_no_slots + 1)); }
};
extern NoLists g_no_lists;

// What the hit path does not need to know of a list. In one word: a cache has one for every class,
// and other threads see an array together with its length.
class ListArray {
 public:
  static constexpr size_t kMaxCapacity = 254;

  // The list is not in use.
  constexpr ListArray() = default;
  // `slots`: SlotCount(capacity) words. REQUIRES: 0 < capacity <= kMaxCapacity.
  ListArray(uintptr_t* slots, size_t capacity, size_t depth_at_sweep = 0)
      : word_(AddressOf(slots) << kAddressShift | capacity << kCapacityShift | depth_at_sweep) {}
  ListArray(const ListArray& other) : word_(other.word()) {}
  ListArray& operator=(const ListArray& other) {
    __atomic_store_n(&word_, other.word(), __ATOMIC_RELAXED);
    return *this;
  }

  uintptr_t* slots() const {
    const uint64_t word = this->word();
    return word != 0 ? reinterpret_cast<uintptr_t*>(word >> kAddressShift) : g_no_slots;
  }
  // Of blocks; 0: the list is not in use and has no array.
  size_t capacity() const { return word() >> kCapacityShift & kMask; }
  size_t depth_at_sweep() const { return word() & kMask; }
  void NoteDepth(size_t depth) { *this = ListArray(slots(), capacity(), depth); }

  // Blocks in the list whose top is `top`.
  size_t DepthOf(const uintptr_t* top) const { return static_cast<size_t>(top - slots()) - 1; }

 private:
  static constexpr unsigned kAddressShift = 16;
  static constexpr unsigned kCapacityShift = 8;
  static constexpr uint64_t kMask = 0xff;
  static_assert(kAddressBits + kAddressShift <= 64 && kMaxCapacity <= kMask);

  uint64_t word() const { return __atomic_load_n(&word_, __ATOMIC_RELAXED); }

  uint64_t word_ = 0;
};

// Words of an array for so many blocks, the two marks included.
constexpr size_t SlotCount(size_t capacity) { return capacity + 2; }

// The second word of a block: the free key while the block is in a list.
inline uint64_t& KeyOf(uintptr_t block) { return reinterpret_cast<uint64_t*>(block)[1]; }

// What a large run carries instead on its way home, where it travels alone.
inline uint64_t PostedKey(uint64_t free_key) { return ~free_key; }
inline bool CarriesEitherKey(uintptr_t block, uint64_t free_key) {
  return (KeyOf(block) ^ free_key) + 1 <= 1;
}

// Pops a block off list `c`; kBottomMark if it is empty.
inline uintptr_t Pop(BlockList* lists, size_t c) {
  const uintptr_t block = lists[c][-1];
  if (block == kBottomMark) [[unlikely]] return kBottomMark;
  KeyOf(block) = 0;
  const uintptr_t popped = Cursor::StepDown(lists, c, block);
  if (popped == kBottomMark) __builtin_unreachable();
  return popped;
}

inline bool IsFull(const BlockList& list) { return *list == kFullMark; }

// Pushes the block on list `c`, whose top is `slot`. REQUIRES: the list is not full. A fork may stop
// the thread between any two instructions: the address is in place before it counts.
inline void PushAt(uintptr_t* slot, BlockList* lists, size_t c, uintptr_t block, uint64_t key) {
  *slot = block;
  Cursor::StepUp(lists, c);
  KeyOf(block) = key;
}
inline void Push(BlockList* lists, size_t c, uintptr_t block, uint64_t key) {
  PushAt(lists[c], lists, c, block, key);
}

}  // namespace cma

#endif  // CMA_ARENA_BLOCK_LIST_H_
