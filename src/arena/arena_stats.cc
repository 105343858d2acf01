// What of an arena is where: one walk over its superblocks.
#include <bit>

#include "arena/arena.h"
#include "slabs/mixed_slab.h"

namespace cma {

void Arena::CountSlab(const Slab* slab, ArenaStats& stats, ArenaClassStats* classes) {
  const size_t page = OsPageBytes();
  stats.dirty_bytes += static_cast<size_t>(std::popcount(IdlePages(slab))) * page;
  const auto touched = static_cast<size_t>(std::popcount(slab->touched_pages));
  stats.untouched_bytes += (PagesPerSlab() - touched) * page;
  if (classes == nullptr) return;
  if (slab->is_mixed) {
    size_t lent[kSmallClasses] = {};
    CountMixedBlocks(slab, lent);
    for (SizeClass c = 1; c < kSmallClasses; ++c) {
      classes[c].lent += lent[c];
      classes[c].in_mixed += lent[c];
    }
    return;
  }
  ArenaClassStats& c = classes[slab->size_class];
  const size_t used = size_t{slab->capacity} - slab->free_blocks;
  ++c.slabs;
  ++c.slabs_by_fullness[used * (ArenaClassStats::kFullnesses - 1) / slab->capacity];
  c.free += slab->free_blocks;
  c.lent += used;
}

void Arena::CountFreeRun(const Run& run, ArenaStats& stats) {
  const size_t page = OsPageBytes();
  const size_t first = RoundUp(size_t{run.start} << kGranuleShift, page) / page;
  const size_t last = (size_t{run.end()} << kGranuleShift) / page;
  if (first >= last) return;
  const size_t touched = run.superblock->touched.CountRange(first, last);
  stats.dirty_bytes += touched * page;
  stats.untouched_bytes += (last - first - touched) * page;
}

void Arena::CountUsedRun(const Run& run, ArenaStats& stats, ArenaClassStats* classes) {
  const SizeClass c = run.length < kClassOfGranules.size() ? kClassOfGranules[run.length] : 0;
  if (c == 0) {
    stats.large_bytes += run.bytes();
    ++stats.large_blocks;
  } else if (classes != nullptr) {
    ++classes[c].lent;
  }
}

ArenaStats Arena::Stats(ArenaClassStats* classes) {
  ArenaStats stats;
  stats.superblock_bytes = runs_.superblock_count() * kSuperblockBytes;
  stats.slab_bytes = slabs_ * kUnitBytes;
  stats.small_lent_bytes = small_lent_bytes_;
  stats.run_lent_bytes = LentRunBytes();
  stats.free_run_bytes = runs_.free_granules() << kGranuleShift;
  // Acquire pairs with the release in Post(). Only a holder of the lock takes parcels out.
  for (const Parcel* parcel = inbox_.load(std::memory_order_acquire); parcel != nullptr;
       parcel = parcel->next) {
    stats.inbox_bytes += parcel->bytes;
  }
  for (Superblock* s = runs_.superblocks().front(); s != nullptr; s = s->next) {
    for (uint32_t g = 0; g < kGranulesPerSuperblock; g += RunAt(s, g).length) {
      const Run run = RunAt(s, g);
      switch (StateOf(run)) {
        case RunState::kSlab:
          CountSlab(SlabAt(s, run.address()), stats, classes);
          break;
        case RunState::kFree:
          CountFreeRun(run, stats);
          break;
        default:
          CountUsedRun(run, stats, classes);
      }
    }
  }
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    const size_t count = depots_[c].count;
    const size_t bytes = count * ClassBytes(c);
    (c < kSmallClasses ? stats.small_lent_bytes : stats.run_lent_bytes) -= bytes;
    if (c >= kSmallClasses) stats.free_run_bytes += bytes;
    if (classes != nullptr) {
      classes[c].lent -= count;
      classes[c].depot += count;
    }
  }
  return stats;
}

}  // namespace cma
