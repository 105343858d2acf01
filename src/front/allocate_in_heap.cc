#include "front/allocate_in_heap.h"

#include <errno.h>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "front/or_no_memory.h"
#include "heaps/user_heaps.h"
#include "report/fault.h"

namespace cma {

void* AllocateInHeap(UserHeap& heap, size_t alignment, size_t size, UserHeap::Contents contents) {
  UserHeap::Taken taken = heap.Take(size, alignment, contents);
  // No use against the limit, or for a size that no address space holds.
  if (taken.block == nullptr && !taken.over_limit && size >> kAddressBits == 0) {
    ThreadCache::Reclaim();
    taken = heap.Take(size, alignment, contents);
  }
  g_heap.releaser.MaybeStart();
  if (size > kLargeMax) g_heap.releaser.NoteFreed();  // as in AllocateHuge()
  return OrNoMemory(taken.block);
}

UserHeap* MakeHeap(const char* name, size_t limit) {
  // With the first cache come what a heap needs too: the address map and the fork handlers.
  if (CurrentCache() == nullptr) EnsureHeap();
  UserHeap* const heap = g_user_heaps.Make(name, limit == 0 ? UserHeap::kNoLimit : limit);
  if (heap == nullptr) errno = ENOMEM;
  return heap;
}

void DestroyHeap(UserHeap* heap) {
  if (heap == nullptr || !g_user_heaps.Destroy(heap)) ReportWrongHeap("cma_heap_destroy", heap);
  g_heap.releaser.NoteFreed();
}

}  // namespace cma
