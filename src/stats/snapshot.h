// All figures of one moment: the totals, and where there is room for them the arenas and the size
// classes that they are made of, and the heaps that the program has made. A heap's arena is among
// the arenas.
#ifndef CMA_STATS_SNAPSHOT_H_
#define CMA_STATS_SNAPSHOT_H_

#include <array>
#include <cstddef>

#include "arena/arena.h"
#include "cma/cma.h"
#include "heaps/user_heap.h"

namespace cma {

// In blocks.
struct ClassFigures {
  size_t live;    // with those on their way between arenas, or in quarantine
  size_t cached;  // in threads' lists
  size_t depot;   // in arenas, for whoever takes next
  size_t free;    // in slabs
  size_t in_mixed;  // of those that are not free: in slabs that several classes share
  size_t slabs;     // of the class alone
  std::array<size_t, ArenaClassStats::kFullnesses> slabs_by_fullness;

  bool IsEmpty() const { return live + cached + depot + free + slabs == 0; }
};

// In bytes; lent is what is live or with a thread.
struct ArenaFigures {
  size_t number;
  size_t mapped;  // = lent + slab_free + free_run
  size_t lent;
  size_t slab_free;
  size_t free_run;
  size_t dirty;
};

struct HeapFigures {
  char name[UserHeap::kNameBytes];
  size_t arena;  // its number
  size_t limit;  // 0: none
  size_t refusals;
  UserHeap::Figures bytes;
};

struct Details {
  size_t arena_count;
  std::array<ArenaFigures, kMaxArenas + kMaxUserHeaps> arenas;
  size_t heap_count;
  std::array<HeapFigures, kMaxUserHeaps> heaps;
  std::array<ClassFigures, kSizeClasses> classes;
  size_t large_blocks;  // in superblocks, of no class
  size_t large_bytes;
  size_t large_cached_bytes;  // of such blocks, that wait with threads
  // On their way between arenas, or in quarantine: part of thread_cached_bytes, and in `live`.
  size_t moving_bytes;
};

// Collects when it is made. details() is nullptr if the OS refuses the memory for them.
class Snapshot {
 public:
  Snapshot();
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const cma_stats& totals() const { return totals_; }
  const Details* details() const { return details_; }

 private:
  cma_stats totals_;
  Details* details_;
};

}  // namespace cma

#endif  // CMA_STATS_SNAPSHOT_H_
