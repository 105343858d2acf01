// Included before everything else in a stress test that is marked `api`: from here on its malloc,
// free and so on are cma's prefixed ones, so the same source also runs under the sanitizers, which
// bring their own malloc.
#ifndef CMA_TESTS_SUPPORT_PREFIXED_MALLOC_H_
#define CMA_TESTS_SUPPORT_PREFIXED_MALLOC_H_

// The system's headers first: they have to see the names as they are.
#include <bits/stdc++.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cma/cma.h>

namespace std {
using ::cma_aligned_alloc;
using ::cma_calloc;
using ::cma_free;
using ::cma_malloc;
using ::cma_realloc;
}  // namespace std

#define CMA_TEST_PREFIXED 1

#define malloc cma_malloc
#define calloc cma_calloc
#define realloc cma_realloc
#define reallocarray cma_reallocarray
#define free cma_free
#define free_sized cma_free_sized
#define free_aligned_sized cma_free_aligned_sized
#define aligned_alloc cma_aligned_alloc
#define memalign cma_memalign
#define posix_memalign cma_posix_memalign
#define valloc cma_valloc
#define pvalloc cma_pvalloc
#define malloc_usable_size cma_malloc_usable_size
#define malloc_trim cma_malloc_trim

#endif  // CMA_TESTS_SUPPORT_PREFIXED_MALLOC_H_
