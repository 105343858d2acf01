#include "slabs/mixed_slab.h"

#include <algorithm>

#include "os/instructions.h"
#include "os/os_memory.h"
#include "report/fault.h"
#include "slabs/slab.h"

namespace cma {
namespace {

using namespace mixed_slab_edges;
using Pieces = BitSet<kPiecesPerSlab>;

// Bit set: the piece is free.
Pieces& FreePieces(const Slab* slab) {
  static_assert(sizeof(Pieces) == sizeof slab->superblock->tables->bits4096[0]);
  const size_t unit = UnitAt(slab->base);
  return *reinterpret_cast<Pieces*>(slab->superblock->tables->bits4096[unit]);
}

EdgeWord* EdgesOf(const Slab* slab) { return EdgesAt(slab->superblock, slab->base); }

// The edges of `count` blocks in a row that begins with piece `first`: at both ends of each, and
// none between.
void SetEdges(EdgeWord* edges, size_t first, size_t pieces, size_t count) {
  const size_t last = first + pieces * count;
  size_t edge = first;
  for (size_t w = first / 64; w < kWords; ++w) {
    const size_t word_end = (w + 1) * 64;
    uint64_t row = ~uint64_t{0};
    if (w == first / 64) row <<= first % 64;
    if (last < word_end) row &= (uint64_t{2} << (last % 64)) - 1;
    uint64_t ends = 0;
    for (; edge < word_end && edge <= last; edge += pieces) ends |= uint64_t{1} << (edge % 64);
    const uint64_t others = edges[w].load(std::memory_order_relaxed) & ~row;
    edges[w].store(others | ends, std::memory_order_relaxed);
    if (last < word_end) break;
  }
}

uint16_t AllPages() { return static_cast<uint16_t>((uint32_t{1} << PagesPerSlab()) - 1); }

// The first piece of the hole that the free piece is in.
size_t FirstOfHole(const Pieces& free, size_t piece) {
  size_t w = piece / 64;
  uint64_t lent = ~free.words[w] & ~(~uint64_t{1} << (piece % 64));
  while (lent == 0) {
    if (w == 0) return 0;
    lent = ~free.words[--w];
  }
  return w * 64 + static_cast<size_t>(std::bit_width(lent));
}

size_t LongestHole(const Pieces& free) {
  size_t longest = 0;
  for (size_t first = free.FindFrom(0); first < kPiecesPerSlab;) {
    const size_t last = free.FindClearFrom(first);
    longest = std::max(longest, last - first);
    first = free.FindFrom(last);
  }
  return longest;
}

// Of `free`, those on pages that hold memory.
Pieces OnTouchedPages(const Slab* slab, const Pieces& free) {
  const size_t words_per_page = Pieces::kWords / PagesPerSlab();
  Pieces result = free;
  for (size_t w = 0; w < Pieces::kWords; ++w) {
    if (((slab->touched_pages >> (w / words_per_page)) & 1) == 0) result.words[w] = 0;
  }
  return result;
}

void TouchPages(Slab* slab, size_t first, size_t last) {
  const size_t pieces_per_page = kPiecesPerSlab / PagesPerSlab();
  const size_t to = (last - 1) / pieces_per_page;
  for (size_t page = first / pieces_per_page; page <= to; ++page) {
    slab->touched_pages |= static_cast<uint16_t>(1u << page);
    slab->aged_pages &= static_cast<uint16_t>(~(1u << page));
  }
}

// Takes blocks out of holes of `allowed` pieces.
size_t TakeFromHoles(Slab* slab, const Pieces& allowed, SizeClass c, std::byte** end, size_t want) {
  const size_t pieces = ClassBytes(c) / kMinAlignment;
  const size_t alignment = pieces & -pieces;
  Pieces& free = FreePieces(slab);
  EdgeWord* const edges = EdgesOf(slab);
  size_t n = 0;
  for (size_t hole = allowed.FindFrom(0); hole < kPiecesPerSlab && n < want;) {
    const size_t hole_end = allowed.FindClearFrom(hole);
    const size_t first = RoundUp(hole, alignment);
    if (first + pieces <= hole_end) {
      const size_t count = std::min((hole_end - first) / pieces, want - n);
      const size_t last = first + count * pieces;
      free.ClearRange(first, last);
      TouchPages(slab, first, last);
      SetEdges(edges, first, pieces, count);
      for (size_t piece = first; piece < last; piece += pieces) {
        *(end - ++n) = slab->base + piece * kMinAlignment;
      }
    }
    hole = allowed.FindFrom(hole_end);
  }
  slab->free_blocks = static_cast<uint16_t>(slab->free_blocks - n * pieces);
  return n;
}

}  // namespace

void MixSlab(Slab* slab) {
  const size_t pieces = slab->block_bytes / kMinAlignment;
  Pieces lent = {};  // by block; the two bitmaps may lie in the same place
  for (size_t i = 0; i < slab->capacity; ++i) {
    if (!IsFreeInSlab(slab, slab->base + i * slab->block_bytes)) lent.Set(i);
  }
  Pieces& free = FreePieces(slab);
  EdgeWord* const edges = EdgesOf(slab);
  free.SetRange(0, kPiecesPerSlab);
  for (size_t w = 0; w < kPiecesPerSlab / 64; ++w) edges[w].store(0, std::memory_order_relaxed);
  size_t free_pieces = kPiecesPerSlab;
  for (size_t i = lent.FindFrom(0); i < slab->capacity; i = lent.FindFrom(i + 1)) {
    free.ClearRange(i * pieces, (i + 1) * pieces);
    SetEdges(edges, i * pieces, pieces, 1);
    free_pieces -= pieces;
  }
  slab->is_mixed = true;
  slab->block_bytes = kMinAlignment;
  slab->size_class = static_cast<uint8_t>(ClassOf(kMinAlignment));
  slab->capacity = kPiecesPerSlab;
  slab->free_blocks = static_cast<uint16_t>(free_pieces);
  slab->longest_hole = static_cast<uint16_t>(LongestHole(free));
}

size_t TakeFromMixedSlab(Slab* slab, SizeClass c, std::byte** end, size_t want) {
  Pieces& free = FreePieces(slab);
  size_t n = 0;
  if (slab->touched_pages != AllPages()) {
    n = TakeFromHoles(slab, OnTouchedPages(slab, free), c, end, want);
  }
  if (n == 0) n = TakeFromHoles(slab, free, c, end, want);
  slab->longest_hole = n < want ? static_cast<uint16_t>(LongestHole(free))
                                : std::min(slab->longest_hole, slab->free_blocks);
  return n;
}

namespace {

// A hole has become longer by the pieces. One of those that have stands for all: how long they are
// is a guess until a taker has looked at every one. What serves every class is long enough.
void NoteHole(Slab* slab, const Pieces& free, size_t first, size_t last) {
  if (slab->longest_hole >= kSmallMax / kMinAlignment) return;
  const size_t hole = free.FindClearFrom(last) - FirstOfHole(free, first);
  if (hole > slab->longest_hole) slab->longest_hole = static_cast<uint16_t>(hole);
}

void MarkFree(Pieces& free, size_t first, size_t last) {
  if (first / 64 == (last - 1) / 64) [[likely]] {
    free.words[first / 64] |= (~uint64_t{0} >> (64 - (last - first))) << (first % 64);
  } else {
    free.SetRange(first, last);
  }
}

}  // namespace

void PrefetchForGive(const AddressMap& map, const std::byte* block) {
  const Superblock* const superblock = map.FindSuperblock(AddressOf(block));
  if (superblock == nullptr) return;
  const size_t piece = AddressOf(block) % kSuperblockBytes / kMinAlignment;
  PrefetchForWrite(&superblock->tables->bits4096[0][0] + piece / 64);
  PrefetchForWrite(superblock->tables->edges + piece / 64);
}

void GiveOneToMixedSlab(Slab* slab, std::byte* block, SizeClass c) {
  Pieces& free = FreePieces(slab);
  const size_t pieces = ClassBytes(c) / kMinAlignment;
  const size_t first = PieceOf(block);
  const EdgeWord* const edges = EdgesOf(slab);
  // The edges of holes tell nothing, and shorter blocks may lie there by now.
  if (free.Test(first) || !HasEdge(edges, first) || EdgeAfter(edges, first) != first + pieces)
      [[unlikely]] {
    ReportDoubleFree(block, 0);
  }
  MarkFree(free, first, first + pieces);
  NoteHole(slab, free, first, first + pieces);
  slab->free_blocks = static_cast<uint16_t>(slab->free_blocks + pieces);
}

size_t GiveToMixedSlab(Slab* slab, std::byte* const* blocks, size_t count, size_t* bytes) {
  const uintptr_t base = AddressOf(slab->base);
  Pieces& free = FreePieces(slab);
  const EdgeWord* const edges = EdgesOf(slab);
  size_t given = 0;
  size_t n = 0;
  size_t first;
  size_t last;
  do {
    first = (AddressOf(blocks[n]) - base) / kMinAlignment;
    last = EdgeAfter(edges, first);
    if (free.Test(first) || !HasEdge(edges, first)) [[unlikely]] {
      ReportDoubleFree(blocks[n], 0);  // the edges of holes tell nothing
    }
    MarkFree(free, first, last);
    given += last - first;
    ++n;
  } while (n < count && AddressOf(blocks[n]) - base < kUnitBytes);
  NoteHole(slab, free, first, last);
  slab->free_blocks = static_cast<uint16_t>(slab->free_blocks + given);
  *bytes = given * kMinAlignment;
  return n;
}

size_t MixedBytesAround(Superblock* superblock, const void* address) {
  const EdgeWord* const edges = EdgesAt(superblock, address);
  size_t first = PieceOf(address);
  const size_t last = EdgeAfter(edges, first);
  while (first != 0 && !HasEdge(edges, first)) --first;
  return (last - first) * kMinAlignment;
}

void CountMixedBlocks(const Slab* slab, size_t* lent) {
  const Pieces& free = FreePieces(slab);
  const EdgeWord* const edges = EdgesOf(slab);
  for (size_t piece = free.FindClearFrom(0); piece < kPiecesPerSlab;) {
    const size_t end = EdgeAfter(edges, piece);
    ++lent[ClassOfPieces(end - piece)];
    piece = free.FindClearFrom(end);
  }
}

}  // namespace cma
