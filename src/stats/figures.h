// The figures of cma_stats: their names and meanings, once for all forms of output.
#ifndef CMA_STATS_FIGURES_H_
#define CMA_STATS_FIGURES_H_

#include "cma/cma.h"

namespace cma {

enum class FigureKind { kBytes, kCount, kTotalBytes };  // the last: since the start, never falls

struct Figure {
  const char* name;   // in JSON; in Prometheus after "cma_"
  const char* label;  // for people
  size_t cma_stats::*field;
  FigureKind kind;
  const char* meaning;
};

inline constexpr Figure kFigures[] = {
    {"mapped_bytes", "mapped", &cma_stats::mapped_bytes, FigureKind::kBytes,
     "address space held; the sum of the next six"},
    {"live_bytes", "live", &cma_stats::live_bytes, FigureKind::kBytes,
     "blocks that the program holds"},
    {"thread_cached_bytes", "cached", &cma_stats::thread_cached_bytes, FigureKind::kBytes,
     "free blocks in thread caches, on their way home, or in quarantine"},
    {"slab_free_bytes", "free in slabs", &cma_stats::slab_free_bytes, FigureKind::kBytes,
     "free blocks of small sizes (fragmentation)"},
    {"free_run_bytes", "free runs", &cma_stats::free_run_bytes, FigureKind::kBytes,
     "free stretches of superblocks in use"},
    {"free_superblock_bytes", "free superblocks", &cma_stats::free_superblock_bytes,
     FigureKind::kBytes, "whole, with cached huge blocks"},
    {"metadata_bytes", "metadata", &cma_stats::metadata_bytes, FigureKind::kBytes,
     "cma's own tables"},
    {"dirty_bytes", "dirty", &cma_stats::dirty_bytes, FigureKind::kBytes,
     "free, but still backed by memory"},
    {"returned_bytes", "returned", &cma_stats::returned_bytes, FigureKind::kTotalBytes,
     "given back to the OS since the start"},
    {"committed_bytes", "committed", &cma_stats::committed_bytes, FigureKind::kBytes,
     "what soft_limit and hard_limit are about"},
    {"rss_bytes", "RSS", &cma_stats::rss_bytes, FigureKind::kBytes,
     "of the process; with absent the sum of the next two"},
    {"resident_most_bytes", "resident", &cma_stats::resident_most_bytes, FigureKind::kBytes,
     "of mapped, what may be in memory at most"},
    {"other_bytes", "other", &cma_stats::other_bytes, FigureKind::kBytes,
     "RSS that is not cma's, at least: code, stacks, the program's own mappings"},
    {"absent_bytes", "absent", &cma_stats::absent_bytes, FigureKind::kBytes,
     "of resident, not in memory, at least: never written to, or swapped out"},
    {"huge_bytes", "huge", &cma_stats::huge_bytes, FigureKind::kBytes,
     "of live, blocks above 1 MiB, each mapped alone"},
    {"huge_blocks", "huge blocks", &cma_stats::huge_blocks, FigureKind::kCount,
     "number of blocks above 1 MiB"},
    {"arenas", "arenas", &cma_stats::arenas, FigureKind::kCount, "arenas in use"},
    {"heaps", "heaps", &cma_stats::heaps, FigureKind::kCount, "heaps that the program has made"},
    {"threads", "threads", &cma_stats::threads, FigureKind::kCount, "threads with a cache"},
};

}  // namespace cma

#endif  // CMA_STATS_FIGURES_H_
