#include "sync/lock.h"

#include "os/os_wait.h"
#include "report/fault.h"

namespace cma {
namespace {

// Identity of the thread inside fork(), 0 if there is none. Written by that thread only.
constinit std::atomic<uintptr_t> g_forking_thread{0};

bool IsForkingThread() {
  const uintptr_t forking = g_forking_thread.load(std::memory_order_relaxed);
  return forking != 0 && forking == OsThreadIdentity();
}

// What stands for the thread in the locks that it holds: of two threads whose identities lie less
// than 128 GiB apart it differs, and if they do not it matters only for a fork in a signal handler.
uint32_t OwnWord() { return (static_cast<uint32_t>(OsThreadIdentity() >> 5) & ~uint32_t{1}) | 2; }

// A refill holds a lock for well under a microsecond: about twice that long is worth spinning.
// Half and double are within the spread of BM_LockAmongThreads on two CPUs.
constexpr int kSpins = 60;

}  // namespace

bool Lock::TryOnce() {
  uint32_t expected = kFree;
  // Acquire pairs with the release in Release(): the holder before us is done.
  return state_.compare_exchange_strong(expected, OwnWord(), std::memory_order_acquire,
                                        std::memory_order_relaxed);
}

bool Lock::SpinFor(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    if (state_.load(std::memory_order_relaxed) == kFree && TryOnce()) return true;
    OsPause();
  }
  return false;
}

// Whether fork, which this thread is in, holds it.
bool Lock::PassesThrough() const { return IsForkingThread() && for_fork_; }

void Lock::Acquire() {
  CheckOrder();
  if (!TryOnce()) [[unlikely]] {
    if (PassesThrough()) return;
    AcquireSlow();
  }
  NoteAcquired();
}

bool Lock::TryAcquire() {
  if (!TryOnce()) {
    if (PassesThrough()) return true;
    if (!SpinFor(kSpins)) return false;
  }
  NoteAcquired();
  return true;
}

bool Lock::AcquireForFork() {
  if ((state_.load(std::memory_order_relaxed) & ~uint32_t{kSleepers}) == OwnWord()) return false;
  if (!TryOnce()) AcquireSlow();
  NoteAcquired();
  for_fork_ = true;
  return true;
}

void Lock::ReleaseAfterFork() {
  if (!for_fork_) return;
  for_fork_ = false;
  Release();
}

void Lock::HoldIfForking() {
  if (IsForkingThread()) AcquireForFork();
}

void Lock::AcquireSlow() {
  if (SpinFor(kSpins)) return;
  uint32_t before = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (before == kFree) {
      // Held by this thread from here on, and there may be more sleepers. Acquire pairs with the
      // release in Release().
      if (state_.compare_exchange_weak(before, OwnWord() | kSleepers, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return;
      }
    } else if ((before & kSleepers) != 0 ||
               state_.compare_exchange_weak(before, before | kSleepers,
                                            std::memory_order_relaxed)) {
      OsWait(state_, before | kSleepers);
      before = state_.load(std::memory_order_relaxed);
    }
  }
}

void Lock::Release() {
  if (g_forking_thread.load(std::memory_order_relaxed) != 0 && PassesThrough()) [[unlikely]] {
    return;
  }
  NoteReleased();
  // Release pairs with the acquire in TryOnce() and AcquireSlow().
  if ((state_.exchange(kFree, std::memory_order_release) & kSleepers) != 0) OsWake(state_, 1);
}

#ifdef NDEBUG
void Lock::CheckOrder() const {}
void Lock::NoteAcquired() const {}
void Lock::NoteReleased() const {}
#else
namespace {
// Locks held by this thread, per rank.
thread_local uint8_t t_held[static_cast<size_t>(LockRank::kMetadata) + 1];

bool MayHoldSeveral(LockRank rank) {
  return rank == LockRank::kArena || rank == LockRank::kHugeTable || rank == LockRank::kMetadata;
}
}  // namespace

void Lock::CheckOrder() const {
  if (IsForkingThread()) return;
  for (size_t rank = static_cast<size_t>(rank_); rank <= static_cast<size_t>(LockRank::kMetadata);
       ++rank) {
    // Several arenas may be held at once, by fork and by statistics, in their order; and all
    // stripes of the table of huge blocks, and shelves of metadata, by fork.
    if (rank == static_cast<size_t>(rank_) && MayHoldSeveral(rank_)) continue;
    if (t_held[rank] != 0) ReportCorruption("lock order violated", this);
  }
}
void Lock::NoteAcquired() const { ++t_held[static_cast<size_t>(rank_)]; }
void Lock::NoteReleased() const { --t_held[static_cast<size_t>(rank_)]; }
#endif

void EnterForkWindow() { g_forking_thread.store(OsThreadIdentity(), std::memory_order_relaxed); }
void LeaveForkWindow() { g_forking_thread.store(0, std::memory_order_relaxed); }

}  // namespace cma
