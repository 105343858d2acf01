// When free memory goes back to the OS.
//
// Work is done in rounds, two per release_delay_ms: a round sweeps every arena and lets what has
// waited long enough in the central heap and among the huge blocks go. A background thread does
// it once the heap is large enough to be worth one; it sleeps without a timeout while there is
// nothing to return. Before that, or where it cannot start, calls of the program do it, one
// superblock at a time; a thread that was refused is tried again later.
//
// Thread-safe. A forked child has no such thread and starts one again when it needs it. A process
// that goes on after its main thread has ended does without: it is over when its last thread ends,
// and this one would never.
#ifndef CMA_ARENA_RELEASER_H_
#define CMA_ARENA_RELEASER_H_

#include <pthread.h>

#include <atomic>

#include "arena/arena_set.h"
#include "central/huge_blocks.h"

namespace cma {

class Releaser {
 public:
  constexpr Releaser(ArenaSet& arenas, CentralHeap& central, HugeBlocks& huge,
                     MemoryLimit* limit = nullptr)
      : arenas_(&arenas), central_(&central), huge_(&huge), limit_(limit) {}

  // Starts the thread if the heap has become large enough. The caller holds no lock and is on
  // its way out of an allocation (not a free: the C library frees under locks of its own).
  void MaybeStart() {
    if (thread_.load(std::memory_order_relaxed) == kNone) [[unlikely]] Start();
  }

  // Something was freed that may be worth returning: wakes the thread if it sleeps for good.
  void NoteFreed() {
    if (idle_.load(std::memory_order_relaxed) != 0) [[unlikely]] Wake();
  }

  // A small step of the current round, where no thread does it.
  void Step(Milliseconds now);

  // A whole round now, regardless of age. True if any memory was returned.
  bool ReleaseAll();

  // A bounded step of a round that returns all that is free, for a soft limit that was passed. One
  // thread at a time; others return at once. REQUIRES: there is a limit, and it says that a purge
  // is due.
  void Purge();

  // The delay may have changed: the thread looks at it anew.
  void NoteDelay();

  // Waits until the thread has ended; none starts again. The process's main thread ends, and is
  // perhaps its last: then the C library runs the handlers of exit(3) on it, not on a small stack.
  // Called under no lock.
  void EndThread();

  // In the child of a fork: there is no thread.
  void ForgetThread();

  // There are left caches (see below) that need no mark: calls of the program give them back from
  // now on, not only when the next round is due.
  void NoteLeftCaches() { left_caches_.store(true, std::memory_order_relaxed); }

  // The caches that ended threads have left for others, or threads that a fork's child lacks, and
  // large runs that wait for threads which do not come, all of which the layers above know. A round
  // marks those that are there (of the runs `all`, if all that is free is to be returned), and then
  // gives them back, one cache's at a time; false when that is done, or if figures are being
  // collected and it may not wait. The mark says whether there are runs that a later round may
  // find. Called under no lock.
  using MarkLeftCaches = bool (*)(bool all);
  using EmptyLeftCache = bool (*)(bool may_wait);
  static void SetLeftCaches(MarkLeftCaches mark, EmptyLeftCache empty) {
    mark_left_caches_ = mark;
    empty_left_cache_ = empty;
  }

  bool has_thread() const { return thread_.load(std::memory_order_relaxed) == kRunning; }

 private:
  // kStarting: its handle is not there yet. kForbidden: there shall be none, one that runs has to
  // end.
  enum : uint32_t { kNone, kStarting, kRunning, kForbidden };

  void Start();
  bool IsToEnd() const { return thread_.load(std::memory_order_seq_cst) == kForbidden; }
  void Wake();
  void Run();
  static void* ThreadBody(void* self);
  bool Round();  // true if a later round has work
  Milliseconds Age() const;
  Milliseconds RoundPeriod() const;

  static bool EmptyLeftCaches(bool all);

  inline static constinit MarkLeftCaches mark_left_caches_ = [](bool) { return false; };
  inline static constinit EmptyLeftCache empty_left_cache_ = [](bool) { return false; };

  ArenaSet* const arenas_;
  CentralHeap* const central_;
  HugeBlocks* const huge_;
  MemoryLimit* const limit_;
  std::atomic<uint32_t> thread_{kNone};
  std::atomic<Milliseconds> refused_at_{0};  // when a thread was refused last; 0: none was
  pthread_t handle_{};             // written in kStarting, read from kRunning on
  std::atomic<uint32_t> idle_{0};  // 1: the thread waits on this word until something is freed
  std::atomic<uint32_t> delay_changes_{0};  // the thread waits on this word between rounds
  std::atomic<uint32_t> round_{1};
  std::atomic<Milliseconds> round_started_{0};
  // Whether the calls of the program have still to look for left caches in this round.
  std::atomic<bool> left_caches_{false};
  // Arenas that they have still to sweep.
  std::atomic<uint32_t> arenas_left_{0};
  // The purge, for the one that holds purging_.
  std::atomic<bool> purging_{false};
  uint32_t purge_round_ = 0;
  size_t purge_left_ = 0;  // arenas; 0: no purge is under way
};

}  // namespace cma

#endif  // CMA_ARENA_RELEASER_H_
