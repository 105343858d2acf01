// Allocation from the heaps that the program makes. Blocks go back by Deallocate() like all others.
#ifndef CMA_FRONT_ALLOCATE_IN_HEAP_H_
#define CMA_FRONT_ALLOCATE_IN_HEAP_H_

#include <cstddef>

#include "heaps/user_heap.h"

namespace cma {

// nullptr with errno set to ENOMEM if the OS or the heap's limit refuses.
// REQUIRES: alignment is a power of two.
[[nodiscard]] void* AllocateInHeap(UserHeap& heap, size_t alignment, size_t size,
                                   UserHeap::Contents contents);

// nullptr with errno set to ENOMEM. `limit` in bytes, 0 for none.
[[nodiscard]] UserHeap* MakeHeap(const char* name, size_t limit);

// Reports a heap that is not live.
void DestroyHeap(UserHeap* heap);

}  // namespace cma

#endif  // CMA_FRONT_ALLOCATE_IN_HEAP_H_
