// The malloc family with the standard's and glibc's edges, written once: the prefixed interface
// and the interposed names both forward to these.
#ifndef CMA_FRONT_FAMILY_H_
#define CMA_FRONT_FAMILY_H_

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bit>

#include "front/allocate.h"
#include "front/resize.h"

namespace cma {

inline void* Fail(int error) {
  errno = error;
  return nullptr;
}

inline void* Calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) [[unlikely]] return Fail(ENOMEM);
  return AllocateZeroed(bytes);
}

// realloc(3): glibc frees and returns NULL for size 0.
inline void* Realloc(void* block, size_t size) {
  if (block == nullptr) return Allocate(size);
  if (size == 0) {
    Deallocate(block);
    return nullptr;
  }
  return Reallocate(block, size);
}

inline void* ReallocArray(void* block, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) [[unlikely]] return Fail(ENOMEM);
  return Realloc(block, bytes);
}

inline void* AlignedAlloc(size_t alignment, size_t size) {
  if (!IsPowerOfTwo(alignment)) return Fail(EINVAL);
  return AllocateAligned(alignment, size);
}

// memalign(3): glibc rounds a bad alignment up, and refuses one that cannot be.
inline void* MemAlign(size_t alignment, size_t size) {
  if (alignment > SIZE_MAX / 2 + 1) return Fail(EINVAL);
  return AllocateAligned(std::bit_ceil(alignment), size);
}

inline int PosixMemAlign(void** result, size_t alignment, size_t size) {
  if (!IsPowerOfTwo(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  if (void* const block = AllocateAlignedHit(alignment, size)) [[likely]] {
    *result = block;
    return 0;
  }
  const int saved = errno;
  void* const block = AllocateAlignedMissed(alignment, size);
  errno = saved;
  if (block == nullptr) return ENOMEM;
  *result = block;
  return 0;
}

inline void* Valloc(size_t size) { return AllocateAligned(OsPageBytes(), size); }

inline void* Pvalloc(size_t size) {
  const size_t page = OsPageBytes();
  if (size > SIZE_MAX - page) return Fail(ENOMEM);
  return AllocateAligned(page, size == 0 ? page : RoundUp(size, page));
}

inline size_t UsableSize(const void* block) {
  return block == nullptr ? 0 : UsableBytes("malloc_usable_size", block);
}

inline void* AlignedCalloc(size_t alignment, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) [[unlikely]] return Fail(ENOMEM);
  if (!IsPowerOfTwo(alignment)) return Fail(EINVAL);
  return AllocateAlignedZeroed(alignment, bytes);
}

// Size 0 is as in Realloc().
inline void* AlignedRealloc(void* block, size_t alignment, size_t size) {
  if (!IsPowerOfTwo(alignment)) return Fail(EINVAL);
  if (block == nullptr) return AllocateAligned(alignment, size);
  if (size == 0) {
    Deallocate(block);
    return nullptr;
  }
  return ReallocateAligned(block, alignment, size);
}

// Returns what is free in the calling thread's cache, the arenas and the central heap to the OS;
// the bytes that went there meanwhile.
size_t ReleaseMemory();

// malloc_trim(3): whether there were any.
inline int Trim() { return ReleaseMemory() != 0 ? 1 : 0; }

}  // namespace cma

#endif  // CMA_FRONT_FAMILY_H_
