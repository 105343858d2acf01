#include "heaps/user_heaps.h"

#include <new>

#include "arena/heap.h"

namespace cma {

constinit UserHeaps g_user_heaps(g_heap.arenas, g_heap.central, g_heap.huge);

UserHeaps::Place* UserHeaps::Places() {
  Place* places = heaps_.load(std::memory_order_relaxed);
  if (places == nullptr) {
    places = static_cast<Place*>(central_->metadata().TakePages(kMaxUserHeaps * sizeof(Place)));
    // Release pairs with the acquire in OfArena().
    heaps_.store(places, std::memory_order_release);
  }
  return places;
}

// One that was destroyed, else a new one.
UserHeap* UserHeaps::Unused() {
  if (UserHeap* const heap = unused_; heap != nullptr) {
    unused_ = heap->next_unused_;
    return heap;
  }
  Place* const places = Places();
  if (made_ == kMaxUserHeaps || places == nullptr) return nullptr;
  Arena* const arena = arenas_->ForUserHeap(made_);
  void* const memory = arena != nullptr ? central_->metadata().Take(sizeof(UserHeap)) : nullptr;
  if (memory == nullptr) return nullptr;
  auto* const heap = new (memory) UserHeap(*arena, central_->map(), *huge_);
  // Threads get to know the heap, and blocks of it, from the one that makes it.
  places[made_++].store(heap, std::memory_order_relaxed);
  return heap;
}

UserHeap* UserHeaps::Make(const char* name, size_t limit) {
  LockGuard guard(lock_);
  UserHeap* const heap = Unused();
  if (heap == nullptr) return nullptr;
  heap->Open(name, limit);
  live_.fetch_add(1, std::memory_order_relaxed);
  return heap;
}

bool UserHeaps::Destroy(UserHeap* heap) {
  LockGuard guard(lock_);
  if (!heap->is_live()) return false;
  heap->Close();
  heap->next_unused_ = unused_;
  unused_ = heap;
  live_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

}  // namespace cma
