// All arenas of the process: up to one per CPU that it may really use, and one more where there are
// many CPUs, as programs have a thread for each and one that waits for them.
//
// As long as only one thread allocates it stays with the first arena, wherever the scheduler puts
// it: nothing is left behind on the CPUs that it was on. From the second thread on all are in use.
// (Two threads that share an arena pass blocks to each other through it that lie in one line.) A
// thread that starts takes over from one that has just ended, if nobody else has that arena; else
// it has the arena of its CPU, or another one that nobody has, or one that one thread has, or
// shares that of its CPU.
//
// The heaps that the program makes have arenas too, from number kMaxArenas on. No thread works with
// one of these unless it was told to; what is done to all arenas is done to them.
//
// Arenas are made when a thread first needs them and live as long as the process.
// Thread-safe; making one takes the start-up lock.
#ifndef CMA_ARENA_ARENA_SET_H_
#define CMA_ARENA_ARENA_SET_H_

#include <atomic>
#include <cstddef>

#include "arena/arena.h"
#include "os/os_cpu.h"

namespace cma {

class ArenaSet {
 public:
  explicit constexpr ArenaSet(CentralHeap& central) : central_(&central) {}

  // Counts the CPUs that the process may use: affinity mask and cgroup quota. Call once, before
  // anything else.
  size_t CountCpus();
  // By the number of CPUs; or `wanted`, if that is not 0, which are all in use from the start. Call
  // once, after CountCpus().
  void Initialize(size_t wanted);

  // The arena for a thread that runs where the caller does; nullptr if there is no memory for it.
  Arena* Current() { return At(CurrentIndex()); }

  // An arena that no thread has, for one that starts, which has joined it: what the last thread
  // that ended has left, if no other has started since, so that threads that follow one another use
  // one arena; else Current(), else any. nullptr if each is some thread's, or there is no memory
  // for it.
  Arena* JoinForNewThread();
  // In the child of a fork: of all threads only this one, which has `arena` if that is not null.
  void ForgetOthers(Arena* arena);
  // Joins one that just so many threads have, Current() if it may be; nullptr if there is none, or
  // no memory for it.
  Arena* JoinUsedBy(uint32_t threads);
  // A thread that had the arena has ended, and left it.
  void NoteVacant(Arena* arena) {
    if (!arena->HasUsers()) vacated_.store(arena, std::memory_order_release);
  }

  // An arena whose lock the caller then holds: `home`, unless its holder keeps it for longer than
  // a moment (it may have lost its CPU) and another one is free.
  Arena* AcquireNear(Arena* home) ABSL_NO_THREAD_SAFETY_ANALYSIS;

  // What `take` gets from `home` or, if that is nothing, from the first other arena that has some:
  // when the OS refuses memory, what is free elsewhere must do.
  template <typename Take>
  auto FromAny(Arena* home, Take take) const {
    auto taken = take(*home);
    for (size_t i = 1; !taken && i < count_; ++i) {
      Arena* const other = Existing((static_cast<size_t>(home->id()) + i) % count_);
      if (other != nullptr) taken = take(*other);
    }
    return taken;
  }

  // As Arena::TakeRun() of `home` that does not grow; or of another arena that has much free.
  std::byte* TakeFreeRun(Arena* home, size_t bytes, size_t alignment, ZeroPages* zero_pages) const;
  // Another arena than `home` with much memory in free runs; nullptr if there is none.
  Arena* WithMuchFree(const Arena* home) const;

  // Its number: that of the CPU among the usable ones, 0 while only one arena is in use.
  size_t CurrentIndex() const { return in_use() == 1 ? 0 : ranks_.Of(OsCurrentCpu()) % of_cpus_; }

  // Threads go to the arenas of their CPUs from now on.
  void UseAll() { in_use_.store(count_, std::memory_order_relaxed); }

  // Makes the arena if need be; nullptr if there is no memory for it.
  Arena* At(size_t index);
  // nullptr if it was never made.
  Arena* Existing(size_t index) const {
    if (index < kMaxArenas) [[likely]]
      return arenas_[index].load(std::memory_order_acquire);
    // Acquire pairs with the release in UserHeapPlace(): its entries are zero, or arenas.
    const std::atomic<Arena*>* of_heaps = of_user_heaps_.load(std::memory_order_acquire);
    return of_heaps == nullptr ? nullptr
                               : of_heaps[index - kMaxArenas].load(std::memory_order_acquire);
  }
  Arena* Owner(const Superblock* superblock) const {
    const uint16_t id = superblock->arena.load(std::memory_order_relaxed);
    return id < kIds ? Existing(id) : nullptr;
  }

  // The arena of the program's heap `index`; nullptr if there is no memory for it.
  // REQUIRES: index < kMaxUserHeaps.
  Arena* ForUserHeap(size_t index);

  // Those that threads work with.
  size_t count() const { return count_; }
  // All, those of the program's heaps included; more may come while they are gone through.
  size_t total() const { return count_ + user_heaps_.load(std::memory_order_acquire); }
  // nullptr if it was never made. REQUIRES: position < total().
  Arena* Nth(size_t position) const {
    return Existing(position < count_ ? position : kMaxArenas + position - count_);
  }
  size_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

 private:
  static constexpr size_t kIds = kMaxArenas + kMaxUserHeaps;

  std::atomic<Arena*>* UserHeapPlace(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  CentralHeap* const central_;
  Lock lock_{LockRank::kStartUp};
  size_t of_cpus_ = 1;
  size_t count_ = 1;  // those of the CPUs come first
  std::atomic<size_t> in_use_{1};
  std::atomic<Arena*> vacated_{nullptr};
  std::atomic<size_t> user_heaps_{0};  // one more than the highest that ever had an arena
  std::atomic<std::atomic<Arena*>*> of_user_heaps_{nullptr};  // kMaxUserHeaps, once there is one
  std::atomic<Arena*> arenas_[kMaxArenas] = {};
  // Static: zero, and so not in the library's file. There is one set of CPUs for a process.
  inline static constinit CpuRanks ranks_;
};

}  // namespace cma

#endif  // CMA_ARENA_ARENA_SET_H_
