// Before an arena grows it gives back what its sparse slabs hold for nothing.
//
// The free pages of a slab serve its own size only. A program whose sizes drift would leave them
// behind, size after size, and the sweep that returns them comes only after a while: what has been
// freed would show as peak memory. So each superblock more is paid for with pages of slabs that are
// mostly free, as far as they lie together: a call to the OS for less than kLeastPages would cost
// more than the page faults of the growth itself. Chosen by sparse_survivors and fragmentation_ager.
#include <algorithm>
#include <bit>

#include "arena/arena.h"

namespace cma {
namespace {

constexpr size_t kLeastPageBytes = 8 * kKiB;
// Superblocks looked at, and ranges returned, per superblock that is added: about 50 us.
constexpr size_t kPackedSuperblocks = 64;
constexpr int kPackedRanges = 64;

// First of at least `least` pages in a row, and how many they are; 0 if there are none.
size_t FindPages(uint32_t pages, size_t least, size_t* first) {
  for (uint32_t left = pages; left != 0;) {
    *first = static_cast<size_t>(std::countr_zero(left));
    const auto count = static_cast<size_t>(std::countr_one(left >> *first));
    if (count >= least) return count;
    left &= ~(((uint32_t{1} << count) - 1) << *first);
  }
  return 0;
}

}  // namespace

// Returns what lies together of the slab's idle pages; the ranges returned.
int Arena::PackSlab(Slab* slab) {
  const size_t least = kLeastPageBytes > OsPageBytes() ? kLeastPageBytes / OsPageBytes() : 1;
  const size_t slab_page =
      static_cast<size_t>(slab->base - slab->superblock->base) / OsPageBytes();
  uint32_t idle = IdlePages(slab);
  int ranges = 0;
  size_t first = 0;
  while (const size_t count = FindPages(idle, least, &first)) {
    const auto mask = static_cast<uint16_t>(((uint32_t{1} << count) - 1) << first);
    if (!ReturnPages(slab->superblock, slab_page + first, slab_page + first + count)) break;
    slab->touched_pages &= static_cast<uint16_t>(~mask);
    slab->aged_pages &= static_cast<uint16_t>(~mask);
    idle &= ~uint32_t{mask};
    ++ranges;
  }
  return ranges;
}

int Arena::PackSuperblock(Superblock* superblock) {
  int ranges = 0;
  for (Slab& slab : superblock->tables->slabs) {
    const bool mostly_free = slab.block_bytes != 0 && slab.free_blocks * 4 > slab.capacity * 3;
    if (mostly_free && slab.touched_pages != 0) ranges += PackSlab(&slab);
  }
  return ranges;
}

// Whether much of the slabs is free.
bool Arena::IsSparse() const {
  const size_t slab_bytes = slabs_ * kUnitBytes;
  const size_t free_bytes = slab_bytes - small_lent_bytes_;
  return free_bytes >= kSuperblockBytes && free_bytes >= slab_bytes / 4;
}

// The superblocks take turns, by their numbers; nullptr: not one of the arena's.
Superblock* Arena::NextToPack() {
  const CentralHeap& central = runs_.central();
  pack_next_ = (pack_next_ + 1) % central.superblocks_made();
  Superblock* const superblock = central.FromNumber(pack_next_);
  const bool mine =
      superblock->arena.load(std::memory_order_relaxed) == static_cast<uint16_t>(id_);
  return mine ? superblock : nullptr;
}

void Arena::Pack() {
  if (!IsSparse()) return;
  const size_t most = std::min<size_t>(kPackedSuperblocks, runs_.central().superblocks_made());
  int ranges = 0;
  for (size_t i = 0; i < most && ranges < kPackedRanges; ++i) {
    if (Superblock* const superblock = NextToPack()) ranges += PackSuperblock(superblock);
  }
}

}  // namespace cma
