// Makes valgrind put its own allocator in the place of cma's prefixed functions, as it does by
// itself for malloc and free of any library: memcheck then knows every block of cma_malloc() to the
// byte, and finds leaks, overflows and uses after free.
#ifndef CMA_FRONT_MEMCHECK_NAMES_H_
#define CMA_FRONT_MEMCHECK_NAMES_H_

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "cma/cma.h"
#include "front/under_valgrind.h"

namespace cma {

inline void* RoundedMemAlign(size_t size) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return memalign(page, RoundUp(size == 0 ? 1 : size, page));
}

}  // namespace cma

extern "C" {

CMA_UNDER_VALGRIND(void*, cma_malloc, size_t size) { return malloc(size); }
CMA_UNDER_VALGRIND(void*, cma_calloc, size_t count, size_t size) { return calloc(count, size); }
CMA_UNDER_VALGRIND(void*, cma_realloc, void* block, size_t size) { return realloc(block, size); }
CMA_UNDER_VALGRIND(void*, cma_reallocarray, void* block, size_t count, size_t size) {
  size_t bytes;
  if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(block, bytes);
  errno = ENOMEM;
  return nullptr;
}
CMA_UNDER_VALGRIND(void, cma_free, void* block) { free(block); }
CMA_UNDER_VALGRIND(void, cma_free_sized, void* block, size_t) { free(block); }
CMA_UNDER_VALGRIND(void, cma_free_aligned_sized, void* block, size_t, size_t) { free(block); }
CMA_UNDER_VALGRIND(void*, cma_aligned_alloc, size_t alignment, size_t size) {
  if (cma::IsPowerOfTwo(alignment)) return memalign(alignment, size);
  errno = EINVAL;
  return nullptr;
}
CMA_UNDER_VALGRIND(void*, cma_memalign, size_t alignment, size_t size) {
  return memalign(alignment, size);
}
CMA_UNDER_VALGRIND(int, cma_posix_memalign, void** result, size_t alignment, size_t size) {
  if (!cma::IsPowerOfTwo(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* const block = memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *result = block;
  return 0;
}
CMA_UNDER_VALGRIND(void*, cma_valloc, size_t size) {
  return memalign(static_cast<size_t>(sysconf(_SC_PAGESIZE)), size);
}
CMA_UNDER_VALGRIND(void*, cma_pvalloc, size_t size) { return cma::RoundedMemAlign(size); }
CMA_UNDER_VALGRIND(cma_sized_block, cma_malloc_sized, size_t size) {
  void* const block = malloc(size);
  return {block, block != nullptr ? size : 0};
}
CMA_UNDER_VALGRIND(void*, cma_aligned_calloc, size_t alignment, size_t count, size_t size) {
  size_t bytes;
  if (!cma::IsPowerOfTwo(alignment) || __builtin_mul_overflow(count, size, &bytes)) {
    errno = cma::IsPowerOfTwo(alignment) ? ENOMEM : EINVAL;
    return nullptr;
  }
  void* const block = memalign(alignment, bytes);
  if (block != nullptr) memset(block, 0, bytes);
  return block;
}
CMA_UNDER_VALGRIND(void*, cma_aligned_realloc, void* block, size_t alignment, size_t size) {
  if (!cma::IsPowerOfTwo(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  if (block == nullptr || size == 0) {
    return block == nullptr ? memalign(alignment, size) : realloc(block, 0);
  }
  void* const moved = memalign(alignment, size);
  if (moved == nullptr) return nullptr;
  const size_t old_size = malloc_usable_size(block);
  memcpy(moved, block, old_size < size ? old_size : size);
  free(block);
  return moved;
}
CMA_UNDER_VALGRIND(size_t, cma_try_resize, void* block, size_t size) {
  const size_t usable = malloc_usable_size(block);
  return block != nullptr && size <= usable ? usable : 0;
}
CMA_UNDER_VALGRIND(size_t, cma_malloc_usable_size, const void* block) {
  return malloc_usable_size(const_cast<void*>(block));
}

}  // extern "C"

#endif  // CMA_FRONT_MEMCHECK_NAMES_H_
