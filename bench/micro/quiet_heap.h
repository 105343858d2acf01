#ifndef CMA_BENCH_MICRO_QUIET_HEAP_H_
#define CMA_BENCH_MICRO_QUIET_HEAP_H_

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "options/options.h"

namespace cma_bench {

// The heap of the process, for the benchmarks of single layers. These programs have the prefixed
// API only: what they and google-benchmark allocate comes from the C library, so nobody else is in
// here. No thread returns memory behind their backs, and there are two arenas on any machine.
// CMA_OPTIONS works as usual.
inline cma::Heap& QuietHeap() {
  static const bool ready = [] {
    cma::g_options.background_thread = 0;
    cma::g_options.arenas = 2;
    cma::EnsureHeap();
    return true;
  }();
  static_cast<void>(ready);
  return cma::g_heap;
}

// Returns all that is free, depots included: the next benchmark finds nothing of the last one's.
inline void TidyUp() { QuietHeap().releaser.ReleaseAll(); }

}  // namespace cma_bench

#endif  // CMA_BENCH_MICRO_QUIET_HEAP_H_
