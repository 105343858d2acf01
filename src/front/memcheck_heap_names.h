// Makes valgrind take the blocks of heaps from its own allocator, as memcheck_names.h does for all
// others. A heap then has a name and figures that stay 0: it refuses nothing, cma_heap_of() knows
// no block of it, and what is not freed by the time that it ends counts as a leak.
#ifndef CMA_FRONT_MEMCHECK_HEAP_NAMES_H_
#define CMA_FRONT_MEMCHECK_HEAP_NAMES_H_

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/units.h"
#include "cma/cma.h"
#include "front/under_valgrind.h"

extern "C" {

CMA_UNDER_VALGRIND(void*, cma_heap_malloc, cma_heap*, size_t size) { return malloc(size); }
CMA_UNDER_VALGRIND(void*, cma_heap_calloc, cma_heap*, size_t count, size_t size) {
  return calloc(count, size);
}
CMA_UNDER_VALGRIND(void*, cma_heap_aligned_alloc, cma_heap*, size_t alignment, size_t size) {
  if (cma::IsPowerOfTwo(alignment)) return memalign(alignment, size);
  errno = EINVAL;
  return nullptr;
}
CMA_UNDER_VALGRIND(void*, cma_heap_realloc, cma_heap*, void* block, size_t size) {
  return realloc(block, size);
}
CMA_UNDER_VALGRIND(cma_heap*, cma_heap_of, const void*) { return nullptr; }

}  // extern "C"

#endif  // CMA_FRONT_MEMCHECK_HEAP_NAMES_H_
