// A slab: one unit cut into equal small blocks, with one bit per block outside of it.
//
// Blocks are given out in address order, all but a thread's first ones from pages that hold memory
// already as long as there are some. So a fresh slab fills like a bump range, and pages that no
// block needs stay untouched.
//
// Guarded by the lock of the arena that owns the superblock.
#ifndef CMA_SLABS_SLAB_H_
#define CMA_SLABS_SLAB_H_

#include <cstddef>

#include "central/superblock.h"
#include "report/fault.h"
#include "runs/boundary_tags.h"
#include "slabs/size_classes.h"

namespace cma {

// Bytes of the largest block that comes in huge pages. A larger one that is free leaves whole pages
// idle, which can go back to the OS if they are small ones. Chosen by steady_random/1, which
// peaks at 0.997 with half, 1.007 with double, and 1.03 if all classes whose blocks fill their
// slab have huge pages.
inline constexpr size_t kHugePagesUpTo = 2 * kKiB;

// The pages that blocks of the class would best have.
constexpr Pages PagesFor(SizeClass c) {
  return ClassBytes(c) <= kHugePagesUpTo ? Pages::kHuge : Pages::kSmall;
}

// Makes a slab of a run from RunHeap::TakeSlabRun().
Slab* MakeSlab(const Run& run, SizeClass c);

// Writes what the slab knows of its pages back to the superblock; the run may then be given back.
Run UnmakeSlab(Slab* slab);

// The slab that `address` lies in; nullptr if that unit is none.
Slab* SlabAt(Superblock* superblock, const void* address);

// Class of the small block that begins at the address; 0 if none does. Any thread may ask for a
// block it holds. REQUIRES: the address is in the superblock.
SizeClass SmallClassAt(Superblock* superblock, const void* address);

// Takes up to `want` free blocks, the lowest first, and puts them in front of `end`, the first one
// last; how many.
size_t TakeFromSlab(Slab* slab, std::byte** end, size_t want);

// Only of cache lines that no lent block lies on, the lowest first on whatever page: up to `want`
// blocks, in whole rows of BlocksPerLines().
size_t TakeLinesFromSlab(Slab* slab, std::byte** end, size_t want);

// Takes the first of `count` blocks back, as far as they lie in this slab; how many. Reports one
// that is free already. REQUIRES: the first one does lie here.
size_t GiveToSlab(Slab* slab, std::byte* const* blocks, size_t count);

// The same for who knows the slab's bitmap and class already: nothing is called on the way.
inline size_t GiveToSlab(Slab* slab, uint64_t* bits, SizeClass c, std::byte* const* blocks,
                         size_t count) {
  const uint64_t reciprocal = kReciprocal[c];
  const size_t capacity = kUnitBytes / ClassBytes(c);
  const uintptr_t base = AddressOf(*blocks) & ~uintptr_t{kUnitBytes - 1};
  uint64_t nonempty = slab->nonempty_words;
  std::byte* const* const end = blocks + count;
  std::byte* const* next = blocks;
  uintptr_t offset = AddressOf(*next) - base;
  do {
    const uint64_t index = offset * reciprocal >> 32;
    uint64_t& word = bits[index / 64];
    const uint64_t bit = uint64_t{1} << (index % 64);
    if ((word & bit) != 0 || index >= capacity) [[unlikely]]
      ReportDoubleFree(*next, ClassBytes(c));
    word |= bit;
    nonempty |= uint64_t{1} << (index / 64 % 64);
    if (++next == end) break;
    offset = AddressOf(*next) - base;
  } while (offset < kUnitBytes);
  const auto n = static_cast<size_t>(next - blocks);
  slab->nonempty_words = nonempty;
  slab->free_blocks = static_cast<uint16_t>(slab->free_blocks + n);
  return n;
}

// Whether the slab has the block, which lies in it, among its free ones.
bool IsFreeInSlab(const Slab* slab, const std::byte* block);

// Pages (bit i: page i) that hold memory and no live block.
uint16_t IdlePages(const Slab* slab);

// Bytes of all its blocks, lent or free.
inline size_t BlockBytes(const Slab& slab) { return size_t{slab.capacity} * slab.block_bytes; }

// OS pages in a slab.
size_t PagesPerSlab();

}  // namespace cma

#endif  // CMA_SLABS_SLAB_H_
