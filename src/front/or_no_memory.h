// The end of every allocation that was not a hit.
#ifndef CMA_FRONT_OR_NO_MEMORY_H_
#define CMA_FRONT_OR_NO_MEMORY_H_

#include <errno.h>

#include "arena/heap.h"

namespace cma {

// The block, or nullptr with errno set to ENOMEM. Does what the limits of the process have become
// due by it.
inline void* OrNoMemory(void* block) {
  if (g_heap.limit.purge_due()) [[unlikely]]
    g_heap.releaser.Purge();
  if (block == nullptr) [[unlikely]] {
    g_heap.limit.NoteRefusal();
    errno = ENOMEM;
  }
  return block;
}

}  // namespace cma

#endif  // CMA_FRONT_OR_NO_MEMORY_H_
