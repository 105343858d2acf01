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

// A refill holds a lock for well under a microsecond: about twice that long is worth spinning.
// Half and double are within the spread of BM_LockAmongThreads on two CPUs.
constexpr int kSpins = 60;

}  // namespace

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
  if (holder_.load(std::memory_order_relaxed) == OsThreadIdentity()) return false;
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
  // Acquire pairs with the release in Release().
  while (state_.exchange(kHeldWithSleepers, std::memory_order_acquire) != kFree) {
    OsWait(state_, kHeldWithSleepers);
  }
}

void Lock::Release() {
  if (g_forking_thread.load(std::memory_order_relaxed) != 0 && PassesThrough()) [[unlikely]] {
    return;
  }
  NoteReleased();
  // Release pairs with the acquire in TryOnce() and AcquireSlow().
  if (state_.exchange(kFree, std::memory_order_release) == kHeldWithSleepers) OsWake(state_, 1);
}

void Lock::NoteAcquired() {
  holder_.store(OsThreadIdentity(), std::memory_order_relaxed);
  CountHeld(1);
}

void Lock::NoteReleased() {
  CountHeld(-1);
  holder_.store(0, std::memory_order_relaxed);
}

#ifdef NDEBUG
void Lock::CheckOrder() const {}
void Lock::CountHeld(int) const {}
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
void Lock::CountHeld(int more) const {
  t_held[static_cast<size_t>(rank_)] =
      static_cast<uint8_t>(t_held[static_cast<size_t>(rank_)] + more);
}
#endif

void EnterForkWindow() { g_forking_thread.store(OsThreadIdentity(), std::memory_order_relaxed); }
void LeaveForkWindow() { g_forking_thread.store(0, std::memory_order_relaxed); }

}  // namespace cma
