// One size class's free blocks in a thread cache: a stack of addresses.
//
// The addresses lie in an array of the cache, not in the blocks: nothing the program writes
// through a stale pointer can misdirect it, taking a block does not wait for the block's memory,
// and blocks fresh from the OS are listed without being touched.
//
//   slots: [0] [block] [block] [block] [ ? ] [ ? ] [kFull]
//           ^ bottom mark              ^ top        ^ behind the capacity
#ifndef CMA_CACHE_BLOCK_LIST_H_
#define CMA_CACHE_BLOCK_LIST_H_

#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "os/instructions.h"

namespace cma {

// Marks at the ends; no block has these addresses.
inline constexpr uintptr_t kBottomMark = 0;
inline constexpr uintptr_t kFullMark = 1;

using BlockList = Cursor;  // the slot that the next Push fills

// What the hit path does not need to know of a list.
struct ListArray {
  Cursor slots;
  uint16_t capacity = 0;  // slots; 0: the list is not in use and has no array
  uint16_t depth_at_sweep = 0;
};

// The array of every list that is not in use: empty and full at once. Read by all threads and
// never written; what is written shares no line with it.
struct alignas(kIsolation) EmptySlots {
  uintptr_t slots[kIsolation / sizeof(uintptr_t)] = {kBottomMark, kFullMark};
};
extern EmptySlots g_empty_slots;
inline constexpr uintptr_t* g_no_slots = g_empty_slots.slots;

// Words of an array for so many blocks, the two marks included.
constexpr size_t SlotCount(size_t capacity) { return capacity + 2; }

// The second word of a block: the free key while the block is in a list.
inline uint64_t& KeyOf(uintptr_t block) { return reinterpret_cast<uint64_t*>(block)[1]; }

// Writes to the free block before it is read: its line, which may be in another core's cache, comes
// over once, to be written, and not first as a copy and then again.
inline void ClaimLine(uintptr_t block) {
  *reinterpret_cast<volatile uint64_t*>(block) = 0;
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

#endif  // CMA_CACHE_BLOCK_LIST_H_
