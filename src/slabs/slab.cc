#include "slabs/slab.h"

#include <bit>

#include "central/address_map.h"
#include "os/os_memory.h"
#include "report/fault.h"
#include "slabs/mixed_slab.h"
#include "slabs/size_classes.h"

namespace cma {
namespace {

size_t UnitOf(const Slab* slab) {
  return static_cast<size_t>(slab->base - slab->superblock->base) / kUnitBytes;
}

uint64_t* BitsOf(const Slab* slab) {
  return slab->superblock->tables->SlabBits(UnitOf(slab), slab->capacity);
}

uint32_t IndexAt(const Slab* slab, size_t offset) {
  return static_cast<uint32_t>(offset * kReciprocal[slab->size_class] >> 32);
}

// Index of the first block that starts at or after the slab offset.
size_t FirstBlockFrom(const Slab* slab, size_t offset) {
  return offset == 0 ? 0 : IndexAt(slab, offset - 1) + 1;
}

uint16_t AllPages() {
  return static_cast<uint16_t>((uint32_t{1} << PagesPerSlab()) - 1);
}

uint64_t BitsBetween(size_t first, size_t last) {  // within one word
  if (first >= last) return 0;
  const uint64_t upto_last = last >= 64 ? ~uint64_t{0} : (uint64_t{1} << last) - 1;
  return upto_last & (~uint64_t{0} << first);
}

// Bits of bitmap word `word` whose blocks start on a page of `pages`.
uint64_t BlocksOnPages(const Slab* slab, size_t word, uint16_t pages) {
  const size_t page_bytes = OsPageBytes();
  uint64_t mask = 0;
  for (uint32_t left = pages; left != 0; left &= left - 1) {
    const auto page = static_cast<size_t>(std::countr_zero(left));
    const size_t first = FirstBlockFrom(slab, page * page_bytes);
    const size_t last = FirstBlockFrom(slab, (page + 1) * page_bytes);
    if (last <= word * 64 || first >= (word + 1) * 64) continue;
    mask |= BitsBetween(first > word * 64 ? first - word * 64 : 0, last - word * 64);
  }
  return mask;
}

void TouchBlocks(Slab* slab, size_t first, size_t last) {
  const unsigned shift = OsPageShift();
  const size_t from = first * slab->block_bytes >> shift;
  const size_t to = ((last + 1) * slab->block_bytes - 1) >> shift;
  const auto pages = static_cast<uint16_t>(BitsBetween(from, to + 1));
  slab->touched_pages |= pages;
  slab->aged_pages &= static_cast<uint16_t>(~pages);
}

// Marks the pages of the blocks of a bitmap word as used.
void TouchTaken(Slab* slab, size_t word, uint64_t taken) {
  if (slab->touched_pages == AllPages() && slab->aged_pages == 0) [[likely]]
    return;
  while (taken != 0) {
    const auto first = static_cast<size_t>(std::countr_zero(taken));
    const auto count = static_cast<size_t>(std::countr_one(taken >> first));
    TouchBlocks(slab, word * 64 + first, word * 64 + first + count - 1);
    taken &= ~BitsBetween(first, first + count);
  }
}

// The bits that are there with those `half` places away, in the other half of their row; `halves`
// has the first half of each row.
uint64_t Rows(uint64_t bits, size_t half, uint64_t halves) {
  const uint64_t both = bits & bits >> half & halves;
  return both | both << half;
}

// The bits of those rows of 1, 2 or 4 that have all of their bits.
uint64_t WholeRows(uint64_t bits, size_t row) {
  if (row >= 2) bits = Rows(bits, 1, ~uint64_t{0} / 3);
  if (row >= 4) bits = Rows(bits, 2, ~uint64_t{0} / 15 * 3);
  return bits;
}

// As TakeFromSlab(), of the blocks that a word of its bitmap has the bits of, those that are
// `allowed`. REQUIRES: want != 0.
size_t TakeFromWord(Slab* slab, uint64_t* bits, size_t word, uint64_t allowed, std::byte** end,
                    size_t want) {
  const uint64_t free = bits[word] & allowed;
  if (free == 0) return 0;
  const size_t block_bytes = slab->block_bytes;
  std::byte* const start = slab->base + word * 64 * block_bytes;
  std::byte** const first = end - want;
  std::byte** to = end;
  uint64_t left = free;
  do {
    *--to = start + static_cast<unsigned>(std::countr_zero(left)) * block_bytes;
    left &= left - 1;
  } while (left != 0 && to != first);
  const uint64_t taken = free ^ left;
  bits[word] ^= taken;
  if (bits[word] == 0) slab->nonempty_words &= ~(uint64_t{1} << word);
  TouchTaken(slab, word, taken);
  return static_cast<size_t>(end - to);
}

}  // namespace

size_t PagesPerSlab() { return kUnitBytes >> OsPageShift(); }

Slab* MakeSlab(const Run& run, SizeClass c) {
  const size_t block_bytes = ClassBytes(c);
  Superblock* const superblock = run.superblock;
  const size_t unit = (size_t{run.start} << kGranuleShift) / kUnitBytes;
  Slab* const slab = &superblock->tables->slabs[unit];
  slab->superblock = superblock;
  slab->base = run.address();
  slab->block_bytes = static_cast<uint16_t>(block_bytes);
  slab->capacity = static_cast<uint16_t>(kUnitBytes / block_bytes);
  slab->free_blocks = slab->capacity;
  slab->fullness = kNotListed;
  slab->size_class = static_cast<uint8_t>(c);
  slab->is_mixed = false;
  slab->aged_pages = 0;
  slab->touched_pages = 0;
  for (size_t i = 0; i < PagesPerSlab(); ++i) {
    if (superblock->touched.Test(unit * PagesPerSlab() + i)) {
      slab->touched_pages |= static_cast<uint16_t>(1u << i);
    }
  }
  const size_t words = (slab->capacity + size_t{63}) / 64;
  for (size_t w = 0; w < words; ++w) {
    BitsOf(slab)[w] = BitsBetween(0, slab->capacity - w * 64);
  }
  slab->nonempty_words = BitsBetween(0, words);
  return slab;
}

Run UnmakeSlab(Slab* slab) {
  Superblock* const superblock = slab->superblock;
  const size_t unit = UnitOf(slab);
  for (size_t i = 0; i < PagesPerSlab(); ++i) {
    const size_t page = unit * PagesPerSlab() + i;
    if ((slab->touched_pages >> i) & 1) {
      superblock->touched.Set(page);
    } else {
      superblock->touched.Clear(page);
    }
    superblock->aged.Clear(page);
  }
  slab->block_bytes = 0;
  return RunAt(superblock, static_cast<uint32_t>(unit * (kUnitBytes / kGranuleBytes)));
}

Slab* SlabAt(Superblock* superblock, const void* address) {
  const size_t unit = (AddressOf(address) - AddressOf(superblock->base)) / kUnitBytes;
  Slab* const slab = &superblock->tables->slabs[unit];
  return slab->block_bytes != 0 ? slab : nullptr;
}

SizeClass SmallClassAt(Superblock* superblock, const void* address) {
  const uintptr_t start = AddressOf(address);
  SizeClass c = AddressMap::SizeClassOf(AddressMap::SettledUnit(start));
  if (c == 0) {
    const Slab* const slab = SlabAt(superblock, address);
    if (slab == nullptr) return 0;
    if (slab->is_mixed) return MixedClassAt(superblock, address);
    c = slab->size_class;  // there is no unit map
  }
  return IsBlockStart(static_cast<uint32_t>(start % kUnitBytes), kReciprocal[c]) ? c : 0;
}

size_t TakeFromSlab(Slab* slab, std::byte** end, size_t want) {
  uint64_t* const bits = BitsOf(slab);
  size_t n = 0;
  const uint16_t touched = slab->touched_pages;
  if (touched != 0 && touched != AllPages()) {
    for (uint64_t words = slab->nonempty_words; words != 0 && n < want; words &= words - 1) {
      const auto word = static_cast<size_t>(std::countr_zero(words));
      const uint64_t allowed = BlocksOnPages(slab, word, touched);
      n += TakeFromWord(slab, bits, word, allowed, end - n, want - n);
    }
  }
  while (n < want && slab->nonempty_words != 0) {
    const auto word = static_cast<size_t>(std::countr_zero(slab->nonempty_words));
    n += TakeFromWord(slab, bits, word, ~uint64_t{0}, end - n, want - n);
  }
  slab->free_blocks = static_cast<uint16_t>(slab->free_blocks - n);
  return n;
}

size_t TakeLinesFromSlab(Slab* slab, std::byte** end, size_t want) {
  uint64_t* const bits = BitsOf(slab);
  const size_t row = BlocksPerLines(slab->size_class);
  want &= ~(row - 1);
  size_t n = 0;
  for (uint64_t words = slab->nonempty_words; words != 0 && n < want; words &= words - 1) {
    const auto word = static_cast<size_t>(std::countr_zero(words));
    n += TakeFromWord(slab, bits, word, WholeRows(bits[word], row), end - n, want - n);
  }
  slab->free_blocks = static_cast<uint16_t>(slab->free_blocks - n);
  return n;
}

size_t GiveToSlab(Slab* slab, std::byte* const* blocks, size_t count) {
  return GiveToSlab(slab, BitsOf(slab), slab->size_class, blocks, count);
}

bool IsFreeInSlab(const Slab* slab, const std::byte* block) {
  const uint32_t index = IndexAt(slab, static_cast<size_t>(block - slab->base));
  return index < slab->capacity && ((BitsOf(slab)[index / 64] >> (index % 64)) & 1) != 0;
}

uint16_t IdlePages(const Slab* slab) {
  const size_t page_bytes = OsPageBytes();
  const uint64_t* const bits = BitsOf(slab);
  uint16_t idle = 0;
  for (uint32_t left = slab->touched_pages; left != 0; left &= left - 1) {
    const auto page = static_cast<size_t>(std::countr_zero(left));
    const size_t first = IndexAt(slab, page * page_bytes);
    const size_t end = FirstBlockFrom(slab, (page + 1) * page_bytes);
    const size_t last = end < slab->capacity ? end : slab->capacity;
    bool all_free = true;
    for (size_t i = first; i < last && all_free; i = (i / 64 + 1) * 64) {
      const uint64_t wanted = BitsBetween(i % 64, last - i / 64 * 64);
      all_free = (bits[i / 64] & wanted) == wanted;
    }
    if (all_free) idle |= static_cast<uint16_t>(1u << page);
  }
  return idle;
}

}  // namespace cma
