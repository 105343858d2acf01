#include "front/family.h"

#include "arena/heap.h"

namespace cma {

int Trim() {
  ThreadCache::FlushCurrent();
  return g_heap.releaser.ReleaseAll() ? 1 : 0;
}

}  // namespace cma
