#include "stats/stats.h"

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/cache_registry.h"
#include "options/options.h"
#include "report/text.h"

namespace cma {
namespace {

void AddArena(Arena* arena, cma_stats* stats) {
  ArenaStats a;
  {
    LockGuard guard(arena->lock());
    a = arena->Stats();
  }
  ++stats->arenas;
  stats->live_bytes += a.small_lent_bytes + a.run_lent_bytes;
  stats->slab_free_bytes += a.slab_bytes - a.small_lent_bytes;
  stats->free_run_bytes += a.free_run_bytes;
  stats->thread_cached_bytes += a.inbox_bytes;
  stats->dirty_bytes += a.dirty_bytes;
  stats->mapped_bytes += a.superblock_bytes;
}

void PrintLine(int fd, const char* name, size_t bytes, const char* meaning) {
  Text text;
  text.Add("cma: ").AddPadded(bytes / kKiB, 12).Add(" KiB  ").Add(name).Add(": ").Add(meaning);
  text.Add("\n").WriteTo(fd);
}

// CMA_OPTIONS=stats=1. Here, where every program that allocates links it from an archive.
[[gnu::destructor]] void PrintSummaryAtExit() {
  EnsureHeap();
  if (g_options.stats != 0) PrintStats(2);
}

}  // namespace

void CollectStats(cma_stats* stats) {
  *stats = {};
  const CacheRegistry::Totals caches = g_caches.Count();
  for (size_t i = 0; i < g_heap.arenas.count(); ++i) {
    if (Arena* arena = g_heap.arenas.Existing(i); arena != nullptr) AddArena(arena, stats);
  }
  stats->threads = caches.caches;
  stats->thread_cached_bytes += caches.bytes;
  // What the arenas have lent is live or waits in a cache. The two were read at different moments.
  stats->live_bytes -= stats->thread_cached_bytes < stats->live_bytes ? stats->thread_cached_bytes
                                                                      : stats->live_bytes;
  stats->huge_bytes = g_heap.huge.live_bytes();
  stats->huge_blocks = g_heap.huge.live_count();
  stats->live_bytes += stats->huge_bytes;
  const size_t free_superblocks = g_heap.central.free_superblocks() * kSuperblockBytes;
  const size_t cached_huge = g_heap.huge.cached_bytes();
  stats->free_superblock_bytes = free_superblocks + cached_huge;
  stats->dirty_bytes += g_heap.central.dirty_superblocks() * kSuperblockBytes + cached_huge;
  stats->metadata_bytes = g_heap.metadata.mapped_bytes();
  stats->mapped_bytes +=
      stats->huge_bytes + stats->free_superblock_bytes + stats->metadata_bytes;
  stats->committed_bytes = g_heap.limit.committed();
  stats->returned_bytes = g_heap.central.returned_bytes() + g_heap.huge.returned_bytes();
}

void PrintStats(int fd) {
  cma_stats s;
  CollectStats(&s);
  Text text;
  text.Add("cma: version ").Add(cma_version()).Add(", ").AddNumber(s.arenas);
  text.Add(" arenas, ").AddNumber(s.threads).Add(" threads with a cache\n").WriteTo(fd);
  PrintLine(fd, "mapped", s.mapped_bytes, "address space held; the sum of the next six");
  PrintLine(fd, "live", s.live_bytes, "blocks that the program holds");
  PrintLine(fd, "cached", s.thread_cached_bytes, "free blocks in thread caches, or on their way home");
  PrintLine(fd, "free in slabs", s.slab_free_bytes, "free blocks of small sizes");
  PrintLine(fd, "free runs", s.free_run_bytes, "free stretches of superblocks in use");
  PrintLine(fd, "free superblocks", s.free_superblock_bytes, "whole, with cached huge blocks");
  PrintLine(fd, "metadata", s.metadata_bytes, "cma's own tables");
  PrintLine(fd, "dirty", s.dirty_bytes, "free, but still backed by memory");
  PrintLine(fd, "returned", s.returned_bytes, "given back to the OS since the start");
}

}  // namespace cma
