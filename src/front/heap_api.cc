// The heaps of <cma/cma.h>.
#include <errno.h>

#include "cma/cma.h"
#include "front/allocate.h"
#include "front/allocate_in_heap.h"
#include "front/family.h"
#include "front/found_block.h"
#include "front/memcheck_heap_names.h"
#include "front/resize.h"
#include "report/fault.h"

namespace {

using cma::UserHeap;
using Contents = UserHeap::Contents;

// The handle is the heap's address.
UserHeap* Checked(const char* operation, cma_heap* handle) {
  auto* const heap = reinterpret_cast<UserHeap*>(handle);
  if (heap == nullptr || !heap->is_live()) [[unlikely]]
    cma::ReportWrongHeap(operation, handle);
  return heap;
}

}  // namespace

extern "C" {

cma_heap* cma_heap_create(const char* name, size_t limit_bytes) noexcept {
  return reinterpret_cast<cma_heap*>(cma::MakeHeap(name, limit_bytes));
}

void cma_heap_destroy(cma_heap* handle) noexcept {
  if (handle != nullptr) cma::DestroyHeap(reinterpret_cast<UserHeap*>(handle));
}

void* cma_heap_malloc(cma_heap* handle, size_t size) noexcept {
  UserHeap* const heap = Checked("cma_heap_malloc", handle);
  return cma::AllocateInHeap(*heap, cma::kMinAlignment, size, Contents::kAny);
}

void* cma_heap_calloc(cma_heap* handle, size_t count, size_t size) noexcept {
  UserHeap* const heap = Checked("cma_heap_calloc", handle);
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) [[unlikely]]
    return cma::Fail(ENOMEM);
  return cma::AllocateInHeap(*heap, cma::kMinAlignment, bytes, Contents::kZero);
}

void* cma_heap_aligned_alloc(cma_heap* handle, size_t alignment, size_t size) noexcept {
  UserHeap* const heap = Checked("cma_heap_aligned_alloc", handle);
  if (!cma::IsPowerOfTwo(alignment)) return cma::Fail(EINVAL);
  return cma::AllocateInHeap(*heap, alignment, size, Contents::kAny);
}

void* cma_heap_realloc(cma_heap* handle, void* block, size_t size) noexcept {
  UserHeap* const heap = Checked("cma_heap_realloc", handle);
  if (block == nullptr) {
    return cma::AllocateInHeap(*heap, cma::kMinAlignment, size, Contents::kAny);
  }
  if (size == 0) {
    cma::Deallocate(block);
    return nullptr;
  }
  return cma::ReallocateIn(heap, block, size);
}

cma_heap* cma_heap_of(const void* block) noexcept {
  if (block == nullptr) return nullptr;
  return reinterpret_cast<cma_heap*>(cma::FindBlock("cma_heap_of", block).heap);
}

void cma_heap_get_stats(cma_heap* handle, cma_heap_stats* stats) noexcept {
  UserHeap* const heap = Checked("cma_heap_get_stats", handle);
  *stats = {};
  stats->name = heap->name();
  stats->limit_bytes = heap->limit() == UserHeap::kNoLimit ? 0 : heap->limit();
  const UserHeap::Figures figures = heap->ReadFigures();
  stats->live_bytes = figures.live;
  stats->peak_bytes = figures.peak;
  stats->huge_bytes = figures.huge;
  stats->mapped_bytes = figures.mapped;
  stats->refusals = heap->refusals();
}

}  // extern "C"
