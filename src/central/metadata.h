// Memory for cma's own tables, apart from the blocks of the program, so that an overflow of a
// block cannot reach them.
//
// Thread-safe: one leaf lock. Nothing is returned to the OS; what is given back is reused.
#ifndef CMA_CENTRAL_METADATA_H_
#define CMA_CENTRAL_METADATA_H_

#include <array>
#include <atomic>
#include <cstddef>

#include "base/units.h"
#include "central/memory_limit.h"
#include "os/os_memory.h"
#include "sync/lock.h"

namespace cma {

class Metadata {
 public:
  // `limit` counts what is mapped here; nullptr: nobody does.
  constexpr explicit Metadata(const OsOps& os, MemoryLimit* limit = nullptr)
      : os_(&os), limit_(limit) {}

  // Memory for a table: zero the first time, else as its last owner left it; aligned to 64
  // bytes; nullptr if the OS refuses. REQUIRES: 0 < bytes <= kMaxBytes.
  [[nodiscard]] void* Take(size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  // REQUIRES: from Take(bytes) with the same bytes.
  void Give(void* memory, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);

  // Whole zero pages that are never given back; nullptr if the OS refuses.
  [[nodiscard]] void* TakePages(size_t bytes);

  // Bytes of address space held.
  size_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_relaxed); }

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

  static constexpr size_t kMaxBytes = 32 * kKiB;

 private:
  struct FreePiece {
    FreePiece* next;
  };
  static constexpr size_t kSizes = 10;  // 64 B << i

  void* Carve(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  void CountMapped(size_t bytes);

  const OsOps* const os_;
  MemoryLimit* const limit_;
  Lock lock_{LockRank::kMetadata};
  std::array<FreePiece*, kSizes> free_ ABSL_GUARDED_BY(lock_) = {};
  std::byte* chunk_ ABSL_GUARDED_BY(lock_) = nullptr;
  size_t chunk_left_ ABSL_GUARDED_BY(lock_) = 0;
  std::atomic<size_t> mapped_bytes_{0};
};

}  // namespace cma

#endif  // CMA_CENTRAL_METADATA_H_
