// Freed blocks that may not be used again yet, in the order in which they were freed: a use after
// free then meets no other block's data, and a second free is known for what it is.
//
// Owns:      the blocks in it, and its tables, which are mapped once.
// Locking:   all methods take lock_ (LockRank::kQuarantine), and none under it.
// Invariant: a block is in the ring iff its address is in the set.
#ifndef CMA_HARDENING_QUARANTINE_H_
#define CMA_HARDENING_QUARANTINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "central/metadata.h"
#include "sync/lock.h"

namespace cma {

struct QuarantinedBlock {
  uintptr_t address;  // 0: none
  uint32_t bytes;
  uint16_t owner;  // number of its arena
};

class Quarantine {
 public:
  constexpr Quarantine() = default;

  // Makes the tables for blocks of `most_bytes` together, at most kMostBlocks of them. Without
  // memory for them the quarantine stays off. Call once, before the first block.
  // REQUIRES: most_bytes != 0.
  void Open(size_t most_bytes, Metadata& metadata);
  bool IsOn() const { return most_bytes_ != 0; }

  // False if the block is in it already, and nothing has changed then. If there is no place left,
  // *displaced is the oldest block, which is out now. REQUIRES: IsOn().
  [[nodiscard]] bool Add(const QuarantinedBlock& block, QuarantinedBlock* displaced)
      ABSL_LOCKS_EXCLUDED(lock_);
  // Takes the oldest block out if there are more bytes than there may be, or, with `all`, in any
  // case.
  enum class Take { kSurplus, kAll };
  QuarantinedBlock TakeOldest(Take what) ABSL_LOCKS_EXCLUDED(lock_);
  bool Holds(uintptr_t address) ABSL_LOCKS_EXCLUDED(lock_);

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // a moment's truth

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

  // 32,768 blocks and a set that is half full: 1 MiB of tables, touched as far as they are used.
  static constexpr size_t kMostBlocks = size_t{1} << 15;

 private:
  static constexpr size_t kSetSize = 2 * kMostBlocks;

  static size_t Home(uintptr_t address) {
    return static_cast<size_t>((address >> 4) * 0x9E3779B97F4A7C15u >> 48);
  }
  static_assert(kSetSize == size_t{1} << (64 - 48));
  QuarantinedBlock Pop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t Find(uintptr_t address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Erase(size_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  Lock lock_{LockRank::kQuarantine};
  size_t most_bytes_ = 0;
  QuarantinedBlock* ring_ ABSL_GUARDED_BY(lock_) = nullptr;
  uintptr_t* set_ ABSL_GUARDED_BY(lock_) = nullptr;  // open addressing, linear probing
  size_t first_ ABSL_GUARDED_BY(lock_) = 0;
  size_t count_ ABSL_GUARDED_BY(lock_) = 0;
  std::atomic<size_t> bytes_{0};
};

extern Quarantine g_quarantine;

}  // namespace cma

#endif  // CMA_HARDENING_QUARANTINE_H_
