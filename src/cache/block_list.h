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

struct BlockList {
  Cursor top;            // the slot that the next Push fills
  uint32_t reciprocal;   // kReciprocal of the class, for small ones
  uint16_t capacity;     // slots; 0: the list is not in use and has no array
  uint16_t depth_at_sweep;
};
static_assert(sizeof(BlockList) == 16, "a small list is found at cache + block bytes");

// The array of every list that is not in use: empty and full at once. Read by all threads and
// never written; what is written shares no line with it.
struct alignas(kIsolation) EmptySlots {
  uintptr_t slots[kIsolation / sizeof(uintptr_t)] = {kBottomMark, kFullMark};
};
extern EmptySlots g_empty_slots;
inline constexpr uintptr_t* g_no_slots = g_empty_slots.slots;

// Words of an array for so many blocks, the two marks included.
constexpr size_t SlotCount(size_t capacity) { return capacity + 2; }

}  // namespace cma

#endif  // CMA_CACHE_BLOCK_LIST_H_
