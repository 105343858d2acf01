// Runs of one arena: takes superblocks from the central heap, cuts runs out of them, merges
// what comes back with both neighbours, and gives superblocks back when they are empty.
//
// Not thread-safe: guarded by its arena's lock, under which it may take the central heap's.
#ifndef CMA_RUNS_RUN_HEAP_H_
#define CMA_RUNS_RUN_HEAP_H_

#include <atomic>
#include <cstddef>

#include "base/bits.h"
#include "central/central_heap.h"
#include "central/dense_writes.h"
#include "runs/boundary_tags.h"
#include "runs/run_bins.h"

namespace cma {

// Pages of a new large block that read as zero already; for calloc.
struct ZeroPages {
  static constexpr size_t kMax = (kLargeMax + kLargeStep) / kMinPageBytes + 2;
  BitSet<kMax> zero = {};  // bit i: the i-th OS page that the block has a part of
};

// What a taker of blocks or runs may add: a slab that fits in the free runs, or else holes for its
// class in other slabs, or else a superblock. Free runs are there for a taker of runs in any case.
enum class Growth { kNone, kByFreeRuns, kBySlabs, kBySuperblocks };

class RunHeap {
 public:
  constexpr RunHeap(CentralHeap& central, ArenaId owner)
      : central_(&central), owner_(owner), bins_{RunBins(central), RunBins(central)} {}

  // At least `length` granules at a multiple of `alignment` granules; length 0 in the answer: the
  // OS refuses memory, or it would take a new superblock that the caller does not want.
  // `zero_pages` may be null. `untouched`, if it is not, gets the number of its OS pages that hold
  // no memory. REQUIRES: length >= kGranulesPerSlot; alignment a power of two, at most a
  // superblock.
  [[nodiscard]] Run TakeRun(uint32_t length, uint32_t alignment, ZeroPages* zero_pages,
                            Growth growth = Growth::kBySuperblocks, size_t* untouched = nullptr);

  // A run for a slab: kUnitBytes at a multiple of it, if possible on pages of the kind. Small ones
  // count as untouched until the slab says otherwise (Superblock::touched is left as it is).
  [[nodiscard]] Run TakeSlabRun(Pages pages = Pages::kSmall);

  // Whether the next one needs no new superblock.
  bool HasSlabRun() const;

  // Takes a used or slab run back. If that empties its superblock, the central heap may get it.
  void GiveRun(Run run);

  // Gives all superblocks to the central heap, whatever their runs are.
  // REQUIRES: none is a slab any longer by its table; nobody has a block of them.
  void GiveAll();

  // Changes the length of a used run in place; false if its right neighbour is in use.
  // `untouched` as above.
  // REQUIRES: length >= kGranulesPerSlot.
  [[nodiscard]] bool ResizeRun(Run run, uint32_t length, size_t* untouched = nullptr);

  IntrusiveList<Superblock>& superblocks() { return superblocks_; }
  CentralHeap& central() const { return *central_; }

  // What the program does with blocks of these superblocks; of one that goes nothing is marked.
  DenseWrites& dense_writes() { return dense_writes_; }

  size_t superblock_count() const { return superblock_count_; }
  // Any thread may ask.
  size_t free_granules() const { return free_granules_.load(std::memory_order_relaxed); }

  // Superblocks of an arena that have small pages, whatever they are for: huge ones are in part for
  // nothing, and that shows in a small heap. With 2 sqlite peaks at 1.16; with 4 thread_phases/1,
  // json_store/8 and ast_builder/8 take 1.03 to 1.09 of the time. Where small pages are dear it is
  // one, and all others but those for calloc have huge ones.
  static constexpr size_t kSmallArena = 3;

 private:
  RunBins& BinsOf(const Superblock* superblock) {
    return bins_[static_cast<size_t>(superblock->pages)];
  }
  Run FindBestFit(uint32_t length) const;
  RunBins::Place FindAligned(uint32_t length, uint32_t alignment, Pages first) const;
  Pages PagesForNext(Pages best) const;
  bool AddSuperblock(Pages pages, Ends used_first);
  void RemoveSuperblock(Superblock* superblock);
  Run Carve(const Run& from, uint32_t start, uint32_t length, RunState state);
  void CountFree(size_t granules) {
    free_granules_.store(free_granules() + granules, std::memory_order_relaxed);
  }
  void TouchPages(const Run& run, ZeroPages* zero_pages, size_t* untouched = nullptr);

  CentralHeap* const central_;
  const ArenaId owner_;
  RunBins bins_[2];  // by Superblock::pages
  IntrusiveList<Superblock> superblocks_;
  size_t superblock_count_ = 0;
  std::atomic<size_t> free_granules_{0};
  DenseWrites dense_writes_;
  // One empty superblock is kept, so that a program on the edge does not take and give all day.
  Superblock* empty_ = nullptr;
};

}  // namespace cma

#endif  // CMA_RUNS_RUN_HEAP_H_
