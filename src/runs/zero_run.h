// Zeroing a new run as far as it needs to be.
#ifndef CMA_RUNS_ZERO_RUN_H_
#define CMA_RUNS_ZERO_RUN_H_

#include <cstddef>

#include "runs/run_heap.h"

namespace cma {

// Makes the first `size` bytes of the block zero; pages that are so already stay untouched.
void ZeroRun(void* block, size_t size, const ZeroPages& zero_pages);

}  // namespace cma

#endif  // CMA_RUNS_ZERO_RUN_H_
