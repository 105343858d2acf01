#include "front/family.h"

#include "arena/heap.h"

namespace cma {

size_t ReleaseMemory() {
  const auto returned = [] {
    return g_heap.central.returned_bytes() + g_heap.huge.returned_bytes();
  };
  const size_t before = returned();
  ThreadCache::FlushCurrent();
  g_heap.releaser.ReleaseAll();
  return returned() - before;
}

}  // namespace cma
