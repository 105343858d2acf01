#include "arena/arena_set.h"

#include <algorithm>
#include <new>

#include "os/cgroup.h"

namespace cma {
namespace {

// In an arena's free runs: worth the way to an arena that is not the CPU's own. Seen in kv_server.
constexpr size_t kMuchFree = 2 * kSuperblockBytes;

}  // namespace

size_t ArenaSet::CountCpus() {
  count_ = ranks_.Fill();
  if (const size_t quota = OsCgroupCpuQuota(); quota != 0) count_ = std::min(count_, quota);
  return count_;
}

void ArenaSet::Initialize(size_t wanted) {
  of_cpus_ = std::clamp<size_t>(wanted != 0 ? wanted : count_, 1, kMaxArenas);
  count_ = wanted != 0 ? of_cpus_ : ArenasFor(of_cpus_);
  if (wanted != 0) UseAll();
}

Arena* ArenaSet::At(size_t index) {
  Arena* arena = Existing(index);
  if (arena != nullptr) [[likely]]
    return arena;
  LockGuard guard(lock_);
  arena = Existing(index);
  if (arena != nullptr) return arena;
  std::atomic<Arena*>* const place = index < kMaxArenas ? &arenas_[index] : UserHeapPlace(index);
  if (place == nullptr) return nullptr;
  void* memory = central_->metadata().TakePages(sizeof(Arena));
  if (memory == nullptr) return nullptr;
  arena = new (memory) Arena(*central_, static_cast<ArenaId>(index));
  arena->lock().HoldIfForking();
  // Release pairs with the acquire in Existing().
  place->store(arena, std::memory_order_release);
  return arena;
}

std::atomic<Arena*>* ArenaSet::UserHeapPlace(size_t index) {
  std::atomic<Arena*>* of_heaps = of_user_heaps_.load(std::memory_order_relaxed);
  if (of_heaps == nullptr) {
    constexpr size_t kBytes = kMaxUserHeaps * sizeof(std::atomic<Arena*>);
    of_heaps = static_cast<std::atomic<Arena*>*>(central_->metadata().TakePages(kBytes));
    if (of_heaps == nullptr) return nullptr;
    // Release pairs with the acquire in Existing().
    of_user_heaps_.store(of_heaps, std::memory_order_release);
  }
  return &of_heaps[index - kMaxArenas];
}

Arena* ArenaSet::ForUserHeap(size_t index) {
  Arena* const arena = At(kMaxArenas + index);
  size_t known = user_heaps_.load(std::memory_order_relaxed);
  // Release pairs with the acquire in total(): the arena is seen with its number.
  while (arena != nullptr && known <= index &&
         !user_heaps_.compare_exchange_weak(known, index + 1, std::memory_order_release,
                                            std::memory_order_relaxed)) {
  }
  return arena;
}

void ArenaSet::ForgetOthers(Arena* arena) {
  for (size_t i = 0; i < count_; ++i) {
    if (Arena* const existing = Existing(i); existing != nullptr) existing->ForgetUsers();
  }
  if (arena != nullptr) arena->Join();
}

Arena* ArenaSet::JoinForNewThread() {
  Arena* left = vacated_.load(std::memory_order_relaxed);
  // Acquire pairs with the release in NoteVacant(): whoever left it has seen the arena made.
  if (left != nullptr) left = vacated_.exchange(nullptr, std::memory_order_acquire);
  if (left != nullptr && left->JoinIfUsedBy(0)) return left;
  return JoinUsedBy(0);
}

Arena* ArenaSet::JoinUsedBy(uint32_t threads) {
  const size_t first = CurrentIndex();
  for (size_t i = 0; i < in_use(); ++i) {
    Arena* const arena = At((first + i) % in_use());
    if (arena != nullptr && arena->JoinIfUsedBy(threads)) return arena;
  }
  return nullptr;
}

Arena* ArenaSet::WithMuchFree(const Arena* home) const {
  for (size_t i = 1; i < count_; ++i) {
    Arena* const other = Existing((static_cast<size_t>(home->id()) + i) % count_);
    if (other != nullptr && other->FreeRunBytes() >= kMuchFree) return other;
  }
  return nullptr;
}

std::byte* ArenaSet::TakeFreeRun(Arena* home, size_t bytes, size_t alignment,
                                 ZeroPages* zero_pages) const {
  if (std::byte* run = home->TakeRun(bytes, alignment, zero_pages, Growth::kNone)) return run;
  Arena* const other = WithMuchFree(home);
  return other != nullptr ? other->TakeRun(bytes, alignment, zero_pages, Growth::kNone) : nullptr;
}

Arena* ArenaSet::AcquireNear(Arena* home) {
  if (home->lock().TryAcquire()) return home;
  for (size_t i = 1; i < std::min<size_t>(count_, 4); ++i) {
    const size_t index = (static_cast<size_t>(home->id()) + i) % count_;
    Arena* const other = Existing(index);
    if (other != nullptr && other->lock().TryAcquire()) return other;
  }
  home->lock().Acquire();
  return home;
}

}  // namespace cma
