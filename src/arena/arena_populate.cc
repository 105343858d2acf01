// Memory that an arena fetches before the program writes to it.
//
// Of a page fault the page is the smaller part: the rest is the way into the kernel and back, which
// is long in virtual machines (2 and 11 us on two of them, where a page is 0.6). So where a class
// fills slab after slab the pages that come next are fetched together, and so is a run, if the
// program writes the whole of such. Nothing is fetched for what may never be used: a class goes
// ahead by a page for each slab that it has, and a heap that does not grow has what it needs.
// steady_random/1 has 1.46 of the page faults with a page for two slabs, 0.75 with two for each, at
// the same peak.
#include <algorithm>
#include <bit>

#include "arena/arena.h"
#include "options/options.h"

namespace cma {

// Pages of a slab were used for the first time since it had `touched`: those that follow come with
// them. Of the blocks that were taken the program gets `next` next.
void Arena::FetchAhead(Slab* slab, uint16_t touched, std::byte* next, PageRange* ahead) {
  if (g_options.populate == 0 || ahead->bytes != 0) return;
  const unsigned shift = OsPageShift();
  const auto first =
      static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(slab->touched_pages & ~touched)));
  // One that has given pages back does not fill.
  if (touched >> first != 0) return;
  // A page is written if a block begins in it. Where few do, it takes more to tell.
  if (slab->block_bytes > DenseWrites::kMoreThan &&
      !runs_.dense_writes().ExpectedOf(runs_.central().os(), next, slab->block_bytes)) {
    return;
  }
  const size_t end = (BlockBytes(*slab) + OsPageBytes() - 1) >> shift;
  const size_t pages = std::min<size_t>(slabs_of_class_[slab->size_class], end - first);
  if (pages < 2) return;
  slab->touched_pages |= static_cast<uint16_t>(((uint32_t{1} << pages) - 1) << first);
  slab->superblock->NoteForSweep(AddressOf(slab->base) % kSuperblockBytes / kUnitBytes);
  *ahead = {slab->base + (first << shift), pages << shift};
}

// So many pages of a run, or of what one has grown by, held no memory.
void Arena::FetchAhead(const Run& run, size_t untouched, PageRange* ahead) {
  const size_t page = OsPageBytes();
  if (g_options.populate == 0 || run.bytes() <= DenseWrites::kMoreThan ||
      untouched * page < run.bytes() / 2) {
    return;
  }
  if (!runs_.dense_writes().ExpectedOf(runs_.central().os(), run.address(), run.bytes())) return;
  const size_t first = RoundDown(size_t{run.start} << kGranuleShift, page);
  const size_t end = RoundUp(size_t{run.end()} << kGranuleShift, page);
  const PageRange pages = {run.superblock->base + first, end - first};
  if (ahead->bytes == 0) {
    *ahead = pages;
  } else if (pages.start >= ahead->start && pages.start <= ahead->end()) {
    ahead->bytes = static_cast<size_t>(pages.end() - ahead->start);
  }
}

}  // namespace cma
