#include "stats/snapshot.h"

#include <string.h>

#include <algorithm>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "hardening/quarantine.h"
#include "heaps/user_heaps.h"
#include "os/os_process.h"
#include "stats/stats.h"

namespace cma {
namespace {

// What the collection works with, in one mapping: too large for a stack.
struct Workspace {
  Details details;
  std::array<size_t, kSizeClasses> cached;
  std::array<ArenaClassStats, kSizeClasses> classes;
};

size_t WorkspaceBytes() { return RoundUp(sizeof(Workspace), OsPageBytes()); }

size_t Less(size_t a, size_t b) { return a > b ? a - b : 0; }

void CollectArena(Arena* arena, cma_stats& stats, size_t& untouched, Workspace* space) {
  ArenaStats a;
  {
    LockGuard guard(arena->lock());
    a = arena->Stats(space != nullptr ? space->classes.data() : nullptr);
  }
  const bool is_heaps = IsUserHeap(static_cast<uint16_t>(arena->id()));
  if (is_heaps && a.superblock_bytes == 0) return;  // empty, or destroyed
  if (!is_heaps) ++stats.arenas;
  const size_t lent = a.small_lent_bytes + a.run_lent_bytes;
  const size_t slab_free = a.slab_bytes - a.small_lent_bytes;
  stats.live_bytes += lent;
  stats.slab_free_bytes += slab_free;
  stats.free_run_bytes += a.free_run_bytes;
  stats.thread_cached_bytes += a.inbox_bytes;
  stats.dirty_bytes += a.dirty_bytes;
  stats.mapped_bytes += a.superblock_bytes;
  untouched += a.untouched_bytes;
  if (space == nullptr) return;
  Details& details = space->details;
  details.large_blocks += a.large_blocks;
  details.large_bytes += a.large_bytes;
  details.moving_bytes += a.inbox_bytes;
  details.arenas[details.arena_count++] = {static_cast<size_t>(arena->id()),
                                           a.superblock_bytes,
                                           lent,
                                           slab_free,
                                           a.free_run_bytes,
                                           a.dirty_bytes};
}

void CollectHeaps(Details& details) {
  g_user_heaps.ForEach([&details](UserHeap& heap) {
    HeapFigures& figures = details.heaps[details.heap_count++];
    memcpy(figures.name, heap.name(), sizeof figures.name);
    figures.arena = heap.arena_number();
    figures.limit = heap.limit() == UserHeap::kNoLimit ? 0 : heap.limit();
    figures.refusals = heap.refusals();
    figures.bytes = heap.ReadFigures();
  });
}

// What the arenas have lent is live or waits with a thread. The two were read at different moments:
// where more waits than was lent, all that was lent counts as waiting.
void SplitLent(cma_stats& stats) {
  stats.thread_cached_bytes = std::min(stats.thread_cached_bytes, stats.live_bytes);
  stats.live_bytes -= stats.thread_cached_bytes;
}

void SplitClasses(Workspace& space) {
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    const ArenaClassStats& from = space.classes[c];
    ClassFigures& to = space.details.classes[c];
    to.cached = std::min(space.cached[c], from.lent);
    to.live = from.lent - to.cached;
    to.depot = from.depot;
    to.free = from.free;
    to.in_mixed = from.in_mixed;
    to.slabs = from.slabs;
    std::copy_n(from.slabs_by_fullness, to.slabs_by_fullness.size(), to.slabs_by_fullness.begin());
  }
}

void CollectOutsideArenas(cma_stats& stats, size_t untouched) {
  const HugeBlocks::Figures huge = g_heap.huge.ReadFigures();
  stats.huge_bytes = huge.live;
  stats.huge_blocks = g_heap.huge.live_count();
  stats.live_bytes += huge.live;
  const size_t dirty_superblocks = g_heap.central.dirty_superblocks();
  // The two counts were read one after the other.
  const size_t free_superblocks = std::max(g_heap.central.free_superblocks(), dirty_superblocks);
  stats.free_superblock_bytes = free_superblocks * kSuperblockBytes + huge.held + huge.empty;
  stats.dirty_bytes += dirty_superblocks * kSuperblockBytes + huge.held;
  stats.metadata_bytes = g_heap.metadata.mapped_bytes();
  stats.mapped_bytes += huge.live + stats.free_superblock_bytes + stats.metadata_bytes;
  stats.committed_bytes = g_heap.limit.committed();
  stats.returned_bytes = g_heap.central.returned_bytes() + g_heap.huge.returned_bytes();
  stats.resident_most_bytes = stats.mapped_bytes - untouched - huge.empty -
                              (free_superblocks - dirty_superblocks) * kSuperblockBytes;
  stats.rss_bytes = OsResidentBytes();
  stats.other_bytes = Less(stats.rss_bytes, stats.resident_most_bytes);
  // Without /proc neither is known.
  if (stats.rss_bytes != 0) {
    stats.absent_bytes = Less(stats.resident_most_bytes, stats.rss_bytes);
  }
}

void Collect(cma_stats& stats, Workspace* space) {
  LockGuard guard(g_caches.emptying_lock());
  stats = {};
  const CacheRegistry::Totals caches =
      g_caches.Count(space != nullptr ? space->cached.data() : nullptr);
  stats.threads = caches.caches;
  const size_t quarantined = g_quarantine.bytes();
  stats.thread_cached_bytes = caches.bytes + quarantined;
  size_t untouched = 0;
  for (size_t i = 0; i < g_heap.arenas.total(); ++i) {
    Arena* const arena = g_heap.arenas.Nth(i);
    if (arena != nullptr) CollectArena(arena, stats, untouched, space);
  }
  stats.heaps = g_user_heaps.live();
  SplitLent(stats);
  CollectOutsideArenas(stats, untouched);
  if (space == nullptr) return;
  space->details.moving_bytes += caches.outbox_bytes + quarantined;
  space->details.large_cached_bytes = std::min(caches.spare_bytes, space->details.large_bytes);
  space->details.large_bytes = Less(space->details.large_bytes, caches.spare_bytes);
  space->details.large_blocks = Less(space->details.large_blocks, caches.spare_runs);
  SplitClasses(*space);
  CollectHeaps(space->details);
}

}  // namespace

void CollectStats(cma_stats* stats) { Collect(*stats, nullptr); }

Snapshot::Snapshot() {
  // Zero, and touched only as far as there are arenas.
  auto* const space = reinterpret_cast<Workspace*>(g_heap.central.os().map(WorkspaceBytes()));
  Collect(totals_, space);
  details_ = space != nullptr ? &space->details : nullptr;
}

Snapshot::~Snapshot() {
  if (details_ == nullptr) return;
  g_heap.central.os().unmap(reinterpret_cast<std::byte*>(details_), WorkspaceBytes());
}

}  // namespace cma
