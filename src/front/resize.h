// Changing the size of a block: in place, or by moving it.
#ifndef CMA_FRONT_RESIZE_H_
#define CMA_FRONT_RESIZE_H_

#include <cstddef>

#include "heaps/user_heap.h"

namespace cma {

// In all of these `block` is not null, and one that is no live block is reported. Those that return
// a block: nullptr with errno set to ENOMEM if there is no memory, and then the old one is as it
// was; else it is gone. It stays in the heap that it was in.

[[nodiscard]] void* Reallocate(void* block, size_t size);

// At a multiple of `alignment`, a power of two.
[[nodiscard]] void* ReallocateAligned(void* block, size_t alignment, size_t size);

// In `heap`, wherever it was before.
[[nodiscard]] void* ReallocateIn(UserHeap* heap, void* block, size_t size);

// Makes the block `size` bytes long where it is; its usable bytes, 0 if that cannot be done.
size_t ResizeInPlace(void* block, size_t size);

}  // namespace cma

#endif  // CMA_FRONT_RESIZE_H_
