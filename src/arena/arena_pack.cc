// Before an arena grows it gives back what its sparse slabs hold for nothing.
//
// The free pages of a slab serve its own size only. A program whose sizes drift would leave them
// behind, size after size, and the sweep that returns them comes only after a while: what has been
// freed would show as peak memory. So each superblock more is paid for with pages of slabs that are
// mostly free, as far as they lie together: a call to the OS for less than kLeastPageBytes would
// cost more than the page faults of the growth itself.
#include <algorithm>
#include <bit>

#include "arena/arena.h"

namespace cma {
namespace {

// Chosen by sparse_survivors/1: single pages cost time, more than two cost memory.
constexpr size_t kLeastPageBytes = 8 * kKiB;
// Ranges returned per superblock that is added: about 50 us. Half and double the same in
// sparse_survivors/1.
constexpr int kPackedRanges = 64;
// Superblocks of the arena that are looked at per superblock that is added, and of all.
constexpr size_t kTurnSuperblocks = 64;
constexpr size_t kTurnNumbers = 1024;

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

Arena::Turn Arena::StartTurn() const {
  return {std::min(kTurnSuperblocks, runs_.superblock_count()),
          std::min<size_t>(kTurnNumbers, runs_.central().superblocks_made())};
}

// The superblocks take turns, by their numbers; nullptr: the turn is over.
Superblock* Arena::NextInTurn(Turn& turn) {
  const CentralHeap& central = runs_.central();
  while (turn.superblocks != 0 && turn.numbers-- != 0) {
    turn_number_ = (turn_number_ + 1) % central.superblocks_made();
    Superblock* const superblock = central.Nth(turn_number_);
    if (superblock->arena.load(std::memory_order_relaxed) != static_cast<uint16_t>(id_)) continue;
    --turn.superblocks;
    return superblock;
  }
  return nullptr;
}

void Arena::Pack() {
  if (!IsSparse()) return;
  int ranges = 0;
  Turn turn = StartTurn();
  while (ranges < kPackedRanges) {
    Superblock* const superblock = NextInTurn(turn);
    if (superblock == nullptr) return;
    ranges += PackSuperblock(superblock);
  }
}

}  // namespace cma
