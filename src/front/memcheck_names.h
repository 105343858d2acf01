// Makes valgrind put its own allocator in the place of cma's prefixed functions, as it does by
// itself for malloc and free of any library: memcheck then knows every block of cma_malloc() to the
// byte, and finds leaks, overflows and uses after free.
//
// Valgrind looks for such names in the symbol tables of everything that is loaded ("Za" is its
// spelling of "*": in any object) and sends calls of what the rest names here. Nothing calls these
// functions outside of it. Source: the valgrind manual, "Function wrapping".
//
// Included by the one file that has the functions they stand for: what links those has these.
#ifndef CMA_FRONT_MEMCHECK_NAMES_H_
#define CMA_FRONT_MEMCHECK_NAMES_H_

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/units.h"

#if __has_attribute(retain)
#define CMA_KEPT __attribute__((used, retain, visibility("default")))
#else
#define CMA_KEPT __attribute__((used, visibility("default")))
#endif

// Declares and begins the definition of what valgrind calls for `name`.
#define CMA_UNDER_VALGRIND(result, name, ...)                  \
  CMA_KEPT result _vgr00000ZU_Za_##name(__VA_ARGS__) noexcept; \
  result _vgr00000ZU_Za_##name(__VA_ARGS__) noexcept

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
CMA_UNDER_VALGRIND(size_t, cma_malloc_usable_size, const void* block) {
  return malloc_usable_size(const_cast<void*>(block));
}

}  // extern "C"

#undef CMA_UNDER_VALGRIND
#undef CMA_KEPT

#endif  // CMA_FRONT_MEMCHECK_NAMES_H_
