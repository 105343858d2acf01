// Whether this file is compiled for a sanitizer that brings a malloc of its own (AddressSanitizer,
// ThreadSanitizer, MemorySanitizer). Such a program needs that one to find anything, so cma's names
// for the C library's and C++'s functions are left out, and cma_malloc() and its like remain.
#ifndef CMA_FRONT_SANITIZER_H_
#define CMA_FRONT_SANITIZER_H_

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CMA_SANITIZER_HAS_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define CMA_SANITIZER_HAS_MALLOC 1
#endif
#endif
#ifndef CMA_SANITIZER_HAS_MALLOC
#define CMA_SANITIZER_HAS_MALLOC 0
#endif

#endif  // CMA_FRONT_SANITIZER_H_
