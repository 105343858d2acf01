// What cma says of itself, for tests that compare it before and after.
#ifndef CMA_TESTS_SUPPORT_LIVE_BYTES_H_
#define CMA_TESTS_SUPPORT_LIVE_BYTES_H_

#include <cma/cma.h>

#include <cstddef>

namespace cma_test {

inline cma_stats ProcessStats() {
  cma_stats stats;
  cma_get_stats(&stats);
  return stats;
}

inline cma_heap_stats HeapStats(cma_heap* heap) {
  cma_heap_stats stats;
  cma_heap_get_stats(heap, &stats);
  return stats;
}

// Every byte that is mapped is in one of the parts.
inline bool AddsUp(const cma_stats& s) {
  return s.mapped_bytes == s.live_bytes + s.thread_cached_bytes + s.slab_free_bytes +
                               s.free_run_bytes + s.free_superblock_bytes + s.metadata_bytes;
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_LIVE_BYTES_H_
