// The one lock of cma: spins for a moment, then sleeps in the kernel. Zero when free,
// so that heaps can be constant-initialised.
//
// Order: a thread that holds a lock of rank r may take only ranks above r; debug builds check
// this at every Lock(). While fork() runs, the forking thread holds all locks and may enter the
// heap again (other libraries' fork handlers allocate): for it, and only then, Lock() and
// Unlock() do nothing. A lock that is made meanwhile is held like the others.
//
// fork() may be called from a signal handler that has interrupted a holder. That lock stays as it
// is: when the handler has returned, in either process, the holder goes on and releases it.
#ifndef CMA_SYNC_LOCK_H_
#define CMA_SYNC_LOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"

namespace cma {

enum class LockRank : uint8_t {
  kEmptying,  // a cache that an ended thread has left, or runs of one that sleeps, on their way; or
              // collecting figures
  kUserHeaps,    // making and destroying heaps of the program
  kStartUp,      // first use of the heap
  kRegistry,     // lists of thread caches
  kArena,        // one arena at a time (fork and statistics: all, by number)
  kQuarantine,   // freed blocks that may not be used yet
  kCentralHeap,  // superblocks
  kHugeBlocks,   // huge blocks that wait
  kHugeTable,    // those that live; one stripe (fork: all, by number)
  kMetadata,     // leaf; one shelf (fork: all, by number)
};

class ABSL_LOCKABLE Lock {
 public:
  constexpr explicit Lock(LockRank rank) : rank_(rank) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void Acquire() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  // Spins for a moment at most.
  [[nodiscard]] bool TryAcquire() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  void Release() ABSL_UNLOCK_FUNCTION();

  // For fork, which passes through what it holds. False if this very thread holds it already, below
  // a signal handler: then it is left alone.
  bool AcquireForFork() ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // Does nothing to one that AcquireForFork() left alone.
  void ReleaseAfterFork() ABSL_NO_THREAD_SAFETY_ANALYSIS;
  // For a new one, that no other thread knows: the same, if this thread is just forking.
  void HoldIfForking();

  // Whether threads may sleep until it is free. REQUIRES: the caller holds it.
  bool HasSleepers() const { return (state_.load(std::memory_order_relaxed) & kSleepers) != 0; }

  // A moment's truth.
  bool IsHeld() const { return state_.load(std::memory_order_relaxed) != kFree; }

 private:
  // Else a word for the holder, and kSleepers if there may be any.
  enum : uint32_t { kFree = 0, kSleepers = 1 };

  bool TryOnce();
  bool SpinFor(int rounds);
  void AcquireSlow();
  bool PassesThrough() const;
  void CheckOrder() const;
  void NoteAcquired() const;
  void NoteReleased() const;

  std::atomic<uint32_t> state_{kFree};
  bool for_fork_ = false;                 // the forking thread's alone
  [[maybe_unused]] const LockRank rank_;  // builds without assertions do not ask
};

class ABSL_SCOPED_LOCKABLE LockGuard {
 public:
  explicit LockGuard(Lock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) {
    lock_.Acquire();
  }
  ~LockGuard() ABSL_UNLOCK_FUNCTION() { lock_.Release(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

// Between these two calls the calling thread passes through what it holds for the fork. REQUIRES:
// that is all, but for what it held before.
void EnterForkWindow();
void LeaveForkWindow();

}  // namespace cma

#endif  // CMA_SYNC_LOCK_H_
