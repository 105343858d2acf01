// The heap of the process: one object, constant-initialised, never destroyed.
#ifndef CMA_ARENA_HEAP_H_
#define CMA_ARENA_HEAP_H_

#include "arena/arena_set.h"
#include "arena/releaser.h"
#include "central/central_heap.h"
#include "central/huge_blocks.h"
#include "central/memory_limit.h"
#include "central/metadata.h"

namespace cma {

struct Heap {
  explicit constexpr Heap(const OsOps& os)
      : metadata(os, &limit),
        central(os, metadata, g_address_map, &limit, &huge),
        huge(os, metadata, limit),
        arenas(central),
        releaser(arenas, central, huge, &limit) {}

  // Each in lines of its own: what one's lock is taken for is nothing to the threads that read
  // another.
  alignas(kIsolation) MemoryLimit limit;
  alignas(kIsolation) Metadata metadata;
  alignas(kIsolation) CentralHeap central;
  alignas(kIsolation) HugeBlocks huge;
  alignas(kIsolation) ArenaSet arenas;
  alignas(kIsolation) Releaser releaser;
};

extern Heap g_heap;

}  // namespace cma

#endif  // CMA_ARENA_HEAP_H_
