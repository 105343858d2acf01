// Before an arena grows it lets other sizes into the holes of its sparse slabs.
//
// What is free in a slab serves its own size, so a program whose sizes drift, or whose survivors
// lie scattered, holds many times what lives. Where that is so, slabs that are nearly empty are
// mixed (slabs/mixed_slab.h): with 1 block in 16 surviving, sparse_survivors peaks at 2.5 times its
// live bytes instead of 4.9. A block in a hole costs more to take and to give back:
// fragmentation_ager takes 1.3 times as long, so the arena has to be worth it.
#include <bit>

#include "arena/arena.h"
#include "slabs/mixed_slab.h"

namespace cma {
namespace {

// Halves of what an arena has lent that its slabs hold at least. 3 halves: fragmentation_ager peaks at
// 2.8 times its live bytes; 4: 2.9; 6: 3.6, in 0.85 of the time.
constexpr size_t kSparseArena = 3;
// A slab is nearly empty when all but a part in so many is free. 8 instead of 4 is the same in
// fragmentation_ager and sparse_survivors.
constexpr size_t kSparseSlab = 4;
// Slabs of a list that may turn out to have no hole for the class, and slabs that one call looks at.
constexpr int kHoleTries = 2;
constexpr int kHoleVisits = 32;

// Nearly empty, and what is free lies together, so far as the number of blocks tells, in stretches of
// `bytes`.
bool IsWorthMixing(const Slab& slab, size_t bytes) {
  if (slab.block_bytes == 0 || slab.is_mixed) return false;
  const size_t lent = slab.capacity - size_t{slab.free_blocks};
  return lent * kSparseSlab <= slab.capacity &&
         slab.free_blocks / (lent + 1) * slab.block_bytes >= bytes;
}

}  // namespace

void Arena::MixOneSlab(Slab* slab) {
  if (slab->fullness != kNotListed) ListOf(slab, slab->fullness).Remove(slab);
  slab->fullness = kNotListed;
  slab_block_bytes_ -= BlockBytes(*slab);
  --slabs_of_class_[slab->size_class];
  MixSlab(slab);
  CountMixed(1);
  slab_block_bytes_ += BlockBytes(*slab);
  runs_.central().map().SetUnit(AddressOf(slab->base), AddressMap::OwnerTag(id_),
                                kReciprocal[slab->size_class]);
  Relist(slab);
}

// Whether there are new holes for blocks of the class.
bool Arena::Mix(SizeClass c) {
  if (!IsSparse() || slabs_ * kUnitBytes < kSparseArena * small_lent_bytes_ / 2) return false;
  size_t bytes = 0;
  Turn turn = StartTurn();
  while (bytes < kSuperblockBytes) {
    Superblock* const superblock = NextInTurn(turn);
    if (superblock == nullptr) break;
    // Where there is no unit map, nothing would tell a freeing thread in time.
    if (!AddressMap::Covers(AddressOf(superblock->base))) continue;
    for (Slab& slab : superblock->tables->slabs) {
      if (!IsWorthMixing(slab, ClassBytes(c))) continue;
      MixOneSlab(&slab);
      bytes += slab.free_blocks * kMinAlignment;
    }
  }
  return bytes != 0;
}

// The emptiest slabs first, whose blocks then lie together. The fullest first saved 0.15 of
// fragmentation_ager's memory and took 1.2 of its time.
size_t Arena::TakeFromHoles(SizeClass c, std::byte** end, size_t want) {
  const auto shortest =
      static_cast<size_t>(std::bit_width(ClassBytes(c) / kMinAlignment) - 1);
  size_t n = 0;
  int visits = 0;
  for (size_t fullness = mixed_.size(); fullness-- > shortest;) {
    IntrusiveList<Slab>& list = mixed_[fullness];
    for (int tries = 0; tries < kHoleTries && !list.empty();) {
      Slab* const slab = list.front();
      const size_t taken = TakeFromMixedSlab(slab, c, end - n, want - n);
      n += taken;
      Relist(slab);
      if (n == want || ++visits == kHoleVisits) return n;
      if (taken == 0) ++tries;
      if (slab->fullness != fullness) continue;
      // Its holes are too short, or not aligned: next time others come first.
      list.Remove(slab);
      list.PushBack(slab);
    }
  }
  return n;
}

size_t Arena::TakeMixed(SizeClass c, std::byte** end, size_t want, Growth growth) {
  const size_t n = TakeFromHoles(c, end, want);
  if (n != 0 || growth == Growth::kByFreeRuns || runs_.HasSlabRun() || !Mix(c)) return n;
  return TakeFromHoles(c, end, want);
}

}  // namespace cma
