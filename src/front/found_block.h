// What a pointer that the program passes in is.
#ifndef CMA_FRONT_FOUND_BLOCK_H_
#define CMA_FRONT_FOUND_BLOCK_H_

#include <cstddef>

#include "heaps/user_heaps.h"
#include "runs/boundary_tags.h"

namespace cma {

struct FoundBlock {
  enum Kind { kSmall, kRun, kHuge };
  Kind kind;
  size_t bytes;    // usable
  Run run;         // kRun only
  UserHeap* heap;  // whose it is; nullptr for the heap of the process
};

// Reports a pointer that is no live block; `operation` is what was called with it.
// REQUIRES: the block is not null.
FoundBlock FindBlock(const char* operation, const void* block);

}  // namespace cma

#endif  // CMA_FRONT_FOUND_BLOCK_H_
