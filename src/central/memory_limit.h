// How much memory the heap has committed, and whether its limits allow more.
//
// Committed is what may be backed by memory: superblocks except those in the central heap whose
// memory went back, huge blocks, live and cached with memory, and cma's own tables. A superblock
// counts whole while an arena has it.
//
// hard_limit: Commit() refuses what would pass it. The last part of it, kReserveBytes or
// 1/kReserveShare, whichever is more, is kept back until a caller has been refused: after that,
// superblocks may use it, so that the program can unwind, and huge blocks may not. It is closed
// again once as much is free. Tables are counted but never refused.
//
// soft_limit: when it is passed, and again whenever so much more is committed as kPurgeBytes or
// 1/kPurgeShare of it, a purge is due, which the caller's layer has to do.
//
// Thread-safe, without a lock.
#ifndef CMA_CENTRAL_MEMORY_LIMIT_H_
#define CMA_CENTRAL_MEMORY_LIMIT_H_

#include <atomic>
#include <cstddef>

#include "base/constants.h"

namespace cma {

class MemoryLimit {
 public:
  constexpr MemoryLimit() = default;

  enum class For { kSuperblock, kHugeBlock };
  // Counts `bytes` more, or returns false if the hard limit forbids them.
  [[nodiscard]] bool Commit(size_t bytes, For what);
  // For tables: counts them in any case.
  void CommitTable(size_t bytes) { committed_.fetch_add(bytes, std::memory_order_relaxed); }
  // REQUIRES: they were counted.
  void Uncommit(size_t bytes);

  // A caller gets no memory: from now on what unwinding takes may use the reserve, if it was the
  // limit that refused.
  void NoteRefusal();

  // A moment's truth, in bytes.
  size_t committed() const { return committed_.load(std::memory_order_relaxed); }

  bool IsOverSoftLimit() const;
  // It may have been lowered.
  bool IsOverHardLimit() const;
  bool purge_due() const { return purge_due_.load(std::memory_order_relaxed); }
  // Everything that was free when the purge began has gone back.
  void PurgeDone();
  // A limit has changed.
  void NoteOptions();

  // Tables that may have to be made for a superblock, at most, in bytes.
  static constexpr size_t kTableBytes = 768 * kKiB;
  static constexpr size_t kReserveBytes = kSuperblockBytes;
  static constexpr size_t kReserveShare = 64;
  // Half and double are nearly the same in fragmentation_ager/1 with soft_limit=64m, and
  // steady_random/1 with 150m.
  static constexpr size_t kPurgeBytes = kSuperblockBytes;
  static constexpr size_t kPurgeShare = 64;

 private:
  static size_t Reserve(size_t hard_limit);
  bool Allows(size_t committed, For what);
  void MaybePurge(size_t committed);

  std::atomic<size_t> committed_{0};
  std::atomic<bool> denied_{false};  // by the limit, since there was room
  std::atomic<bool> reserve_open_{false};
  std::atomic<size_t> purged_at_{0};  // committed bytes after the last purge
  // Read at every miss, hardly ever written: apart from what every growth writes.
  alignas(kIsolation) std::atomic<bool> purge_due_{false};
};

}  // namespace cma

#endif  // CMA_CENTRAL_MEMORY_LIMIT_H_
