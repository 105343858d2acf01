// The C library's names: linking or preloading this file replaces its malloc.
#include "front/sanitizer.h"

#if !CMA_SANITIZER_HAS_MALLOC

#include <malloc.h>
#include <stdio.h>

#include "cma/cma.h"
#include "front/family.h"
#include "front/malloc_info.h"
#include "front/under_valgrind.h"
#include "stats/stats.h"

#define CMA_EXPORT __attribute__((visibility("default")))

extern "C" {

// The hit path of these two lies in one page, and malloc's in one line.
[[gnu::aligned(128)]] CMA_EXPORT void* malloc(size_t size) noexcept { return cma::Allocate(size); }
CMA_EXPORT void* calloc(size_t count, size_t size) noexcept { return cma::Calloc(count, size); }
CMA_EXPORT void* realloc(void* block, size_t size) noexcept { return cma::Realloc(block, size); }
CMA_EXPORT void* reallocarray(void* block, size_t count, size_t size) noexcept {
  return cma::ReallocArray(block, count, size);
}
// The one of the family that valgrind does not know: glibc's calls realloc, which it does. Inlined,
// a call of that would not be one.
CMA_UNDER_VALGRIND(void*, reallocarray, void* block, size_t count, size_t size) {
  void* (*volatile const resize)(void*, size_t) = realloc;
  size_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? cma::Fail(ENOMEM) : resize(block, bytes);
}
[[gnu::aligned(128)]] CMA_EXPORT void free(void* block) noexcept { cma::Deallocate(block); }
CMA_EXPORT void cfree(void* block) noexcept { cma::Deallocate(block); }
CMA_EXPORT void free_sized(void* block, size_t) noexcept { cma::Deallocate(block); }
CMA_EXPORT void free_aligned_sized(void* block, size_t, size_t) noexcept { cma::Deallocate(block); }
CMA_EXPORT void* memalign(size_t alignment, size_t size) noexcept {
  return cma::MemAlign(alignment, size);
}
CMA_EXPORT void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return cma::AlignedAlloc(alignment, size);
}
CMA_EXPORT int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  return cma::PosixMemAlign(result, alignment, size);
}
CMA_EXPORT void* valloc(size_t size) noexcept { return cma::Valloc(size); }
CMA_EXPORT void* pvalloc(size_t size) noexcept { return cma::Pvalloc(size); }
CMA_EXPORT size_t malloc_usable_size(void* block) noexcept { return cma::UsableSize(block); }
CMA_EXPORT int malloc_trim(size_t) noexcept { return cma::Trim(); }
CMA_EXPORT void malloc_stats() noexcept { cma::PrintStats(2); }
// mallopt(3): 1 is success; there is nothing of glibc's to set here.
CMA_EXPORT int mallopt(int, int) noexcept { return 1; }
CMA_EXPORT struct mallinfo mallinfo() noexcept { return cma::MallInfo(); }
CMA_EXPORT struct mallinfo2 mallinfo2() noexcept { return cma::MallInfo2(); }
CMA_EXPORT int malloc_info(int options, FILE* stream) noexcept {
  return cma::MallocInfo(options, stream);
}

// What glibc's own wrappers and old programs call.
CMA_EXPORT void* __libc_malloc(size_t size) { return cma::Allocate(size); }
CMA_EXPORT void* __libc_calloc(size_t count, size_t size) { return cma::Calloc(count, size); }
CMA_EXPORT void* __libc_realloc(void* block, size_t size) { return cma::Realloc(block, size); }
CMA_EXPORT void __libc_free(void* block) { cma::Deallocate(block); }
CMA_EXPORT void __libc_cfree(void* block) { cma::Deallocate(block); }
CMA_EXPORT void* __libc_memalign(size_t alignment, size_t size) {
  return cma::MemAlign(alignment, size);
}
CMA_EXPORT void* __libc_valloc(size_t size) { return cma::Valloc(size); }
CMA_EXPORT void* __libc_pvalloc(size_t size) { return cma::Pvalloc(size); }
CMA_EXPORT int __posix_memalign(void** result, size_t alignment, size_t size) {
  return cma::PosixMemAlign(result, alignment, size);
}

}  // extern "C"

#endif  // !CMA_SANITIZER_HAS_MALLOC
