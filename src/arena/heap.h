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
        central(os, metadata, g_address_map, &limit),
        huge(os, metadata, &limit),
        arenas(central),
        releaser(arenas, central, huge, &limit) {}

  MemoryLimit limit;
  Metadata metadata;
  CentralHeap central;
  HugeBlocks huge;
  ArenaSet arenas;
  Releaser releaser;
};

extern Heap g_heap;

}  // namespace cma

#endif  // CMA_ARENA_HEAP_H_
