// Index of free runs by length: finds the best fit in O(1).
//
// Lengths below kExact have a bin each, longer ones share 16 bins per doubling; a bitmap says
// which bins hold a run. The links lie in the superblocks' tables, so a free run's own memory
// is never touched and can be returned to the OS.
//
// Not thread-safe: part of a RunHeap.
#ifndef CMA_RUNS_RUN_BINS_H_
#define CMA_RUNS_RUN_BINS_H_

#include "base/bits.h"
#include "central/central_heap.h"
#include "runs/boundary_tags.h"

namespace cma {

class RunBins {
 public:
  explicit constexpr RunBins(const CentralHeap& central) : central_(&central) {}

  // REQUIRES: the tags say that the run is free; it is in no bin. `slot` is that of its start.
  void Insert(const Run& run, Slot& slot);
  void Insert(const Run& run) { Insert(run, SlotAt(run.superblock, run.start)); }
  // REQUIRES: it is in its bin. `slot` is that of its start.
  void Remove(const Run& run, const Slot& slot);
  void Remove(const Run& run) { Remove(run, SlotAt(run.superblock, run.start)); }

  // The free run that leaves least over for `length` granules, of those that leave nothing or
  // enough for a run of its own; for long ones any that leaves less than a slot will do too, and a
  // somewhat longer one is better if it lies lower: so memory that was used before is used again.
  // Length 0 if there is none.
  Run FindBestFit(uint32_t length) const;

  // Where in a free run `length` granules at a multiple of `alignment` would go, as high as they
  // fit; what is left over on either side is nothing or a run. Length 0 if there is no such run.
  struct Place {
    Run run;
    uint32_t start = 0;
  };
  Place FindAligned(uint32_t length, uint32_t alignment) const;

 private:
  // Bins of one length each, in granules: up to 32 KiB, the largest medium class. Half and double
  // the same in large_churn/1.
  static constexpr uint32_t kExact = 512;
  static constexpr unsigned kExactLog = 9;
  static constexpr size_t kBins = kExact + (17 - kExactLog) * 16;
  // Runs looked at in a bin whose runs differ in length. Half and double the same in large_churn/1.
  static constexpr int kProbes = 8;
  // A run that is longer by up to one in so many is taken if it lies lower. Seen in large_churn/1, the
  // faults of its first operations.
  static constexpr uint32_t kMoreForLower = 2;

  static size_t BinOf(uint32_t length);
  Superblock* SuperblockOf(uint32_t link) const;
  RunLinks& LinksAt(uint32_t link) const;
  Run Decode(uint32_t link) const;
  uint32_t Next(const Run& run) const;
  static bool FitAligned(const Run& run, uint32_t length, uint32_t alignment, Place* place);

  const CentralHeap* const central_;
  uint32_t heads_[kBins] = {};
  BitSet<kBins> occupied_ = {};
};

}  // namespace cma

#endif  // CMA_RUNS_RUN_BINS_H_
