// A mixed slab: one that was left with few blocks, whose holes serve blocks of other sizes.
//
// It counts as a slab of pieces of kMinAlignment bytes, and its bitmap says which are free. Where
// blocks begin and end is in a second bitmap, of edges: every lent block has one at both its ends
// and none between them. Edges in holes mean nothing. Its entry in the unit map has the reciprocal
// of a piece and the size class 0, whose list is always full: its blocks miss the hit path of free,
// and are like all others then.
//
// Guarded by the lock of the arena that owns the superblock, but for MixedClassAt() and
// MixedClassOfShort(): the edges of a block that somebody holds do not change. When a slab becomes
// one: arena/arena_mix.cc.
#ifndef CMA_SLABS_MIXED_SLAB_H_
#define CMA_SLABS_MIXED_SLAB_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bits.h"
#include "central/address_map.h"
#include "central/superblock.h"
#include "slabs/size_classes.h"

namespace cma {

inline constexpr size_t kPiecesPerSlab = kUnitBytes / kMinAlignment;

// Makes a slab of one class mixed. REQUIRES: the caller changes its entry in the unit map next.
void MixSlab(Slab* slab);

// As TakeFromSlab(), from low holes on pages that hold memory, or else from any. Each block is
// aligned to what its class's size is a multiple of.
size_t TakeFromMixedSlab(Slab* slab, SizeClass c, std::byte** end, size_t want);

// Takes the first of `count` blocks back, as far as they lie in this slab; how many. Their bytes are
// in *bytes. Reports one that is free already. REQUIRES: the first one does lie here.
size_t GiveToMixedSlab(Slab* slab, std::byte* const* blocks, size_t count, size_t* bytes);

// The same for one block of class c, for who has many that lie in different slabs: prefetches what
// that will look at, and gives it.
void PrefetchForGive(const AddressMap& map, const std::byte* block);
void GiveOneToMixedSlab(Slab* slab, std::byte* block, SizeClass c);

// For SmallClassAt(): class of the block that begins at the address; 0 if none does.
// REQUIRES: a mixed slab is there.
inline SizeClass MixedClassAt(Superblock* superblock, const void* address);

// Bytes from the last edge at or before the address to the next one. REQUIRES: a mixed slab is
// there.
size_t MixedBytesAround(Superblock* superblock, const void* address);

// Blocks of each class that are lent; added to `lent`, which has kSmallClasses entries.
void CountMixedBlocks(const Slab* slab, size_t* lent);

// Relaxed: the bits that others read at the same time are those of blocks they hold, and stay as they
// are.
namespace mixed_slab_edges {

using EdgeWord = std::atomic<uint64_t>;

inline constexpr size_t kWords = SuperblockTables::kEdgeWordsPerSlab;

inline size_t UnitAt(const void* address) {
  return AddressOf(address) % kSuperblockBytes / kUnitBytes;
}

// Those of the slab that the address is in.
inline EdgeWord* EdgesAt(const Superblock* superblock, const void* address) {
  return superblock->tables->edges + UnitAt(address) * kWords;
}

inline size_t PieceOf(const void* address) { return AddressOf(address) % kUnitBytes / kMinAlignment; }

inline bool HasEdge(const EdgeWord* edges, size_t piece) {
  return ((edges[piece / 64].load(std::memory_order_relaxed) >> (piece % 64)) & 1) != 0;
}

// The first edge after the piece; the slab's end is one.
inline size_t EdgeAfter(const EdgeWord* edges, size_t piece) {
  size_t w = ++piece / 64;
  if (w == kWords) return kPiecesPerSlab;
  uint64_t bits = edges[w].load(std::memory_order_relaxed) & (~uint64_t{0} << (piece % 64));
  while (bits == 0) {
    if (++w == kWords) return kPiecesPerSlab;
    bits = edges[w].load(std::memory_order_relaxed);
  }
  return w * 64 + static_cast<size_t>(std::countr_zero(bits));
}

// 64 bits of the superblock's from the piece on, which is counted from the superblock's start.
inline uint64_t EdgesFrom(const Superblock* superblock, size_t piece) {
  const EdgeWord* const edges = superblock->tables->edges + piece / 64;
  const uint64_t low = edges[0].load(std::memory_order_relaxed) >> (piece % 64);
  return low | edges[1].load(std::memory_order_relaxed) << 1 << (63 - piece % 64);
}

// The class of blocks of so many pieces; 0 if there is none.
inline constexpr auto kClassOfPieces = [] {
  std::array<uint8_t, kSmallMax / kMinAlignment + 1> table{};
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    table[kClassBytes[c] / kMinAlignment] = static_cast<uint8_t>(c);
  }
  return table;
}();
inline SizeClass ClassOfPieces(size_t pieces) {
  return pieces < kClassOfPieces.size() ? kClassOfPieces[pieces] : 0;
}

}  // namespace mixed_slab_edges

inline SizeClass MixedClassAt(Superblock* superblock, const void* address) {
  using namespace mixed_slab_edges;
  if (AddressOf(address) % kMinAlignment != 0) return 0;
  const EdgeWord* const edges = EdgesAt(superblock, address);
  const size_t piece = PieceOf(address);
  return HasEdge(edges, piece) ? ClassOfPieces(EdgeAfter(edges, piece) - piece) : 0;
}

// The same for blocks of less than 63 pieces, which most are; 0 as well for longer ones. No branch
// tells how long the block is: where a heap is sparse the edges are in no cache, and what was
// guessed wrong would wait for them.
inline SizeClass MixedClassOfShort(const Superblock* superblock, uintptr_t block) {
  using namespace mixed_slab_edges;
  const size_t piece = block % kSuperblockBytes / kMinAlignment;
  const uint64_t edges = EdgesFrom(superblock, piece);
  if (block % kMinAlignment != 0 || (edges & 1) == 0) [[unlikely]]
    return 0;
  // After the block's start the next one is its end, unless the slab ends before.
  constexpr size_t kTooLong = 63;
  static_assert(kClassOfPieces[kTooLong] == 0);
  const uint64_t ends = (edges - 1) | uint64_t{1} << kTooLong;
  const size_t left = kPiecesPerSlab - piece % kPiecesPerSlab;
  return kClassOfPieces[std::min(static_cast<size_t>(std::countr_zero(ends)), left)];
}

}  // namespace cma

#endif  // CMA_SLABS_MIXED_SLAB_H_
