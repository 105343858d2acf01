// Memory for cma's own tables, apart from the blocks of the program, so that an overflow of a
// block cannot reach them.
//
// New threads come here for many tables each, and often many at once. So the memory lies on shelves
// with a lock each (leaves; fork takes all, by number), and a thread always goes to the same one:
// what it gives back is there for its successor, whose stack the C library likes to put in the same
// place. A program of one thread uses one shelf.
//
// Where one thread takes and another gives, one shelf empties and another fills up. So a shelf asks
// the others before it maps more, and then once for each size before it cuts that from the new
// chunk, and on as long as they have any. Its first chunk is free of that: small programs need no
// other.
//
// Invariant: of each size there is no more than was in use at once and, for each shelf, a chunk.
//
// Thread-safe; a thread holds the lock of one shelf at a time. Nothing is returned to the OS; what
// is given back is reused.
#ifndef CMA_CENTRAL_METADATA_H_
#define CMA_CENTRAL_METADATA_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"
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
  [[nodiscard]] void* Take(size_t bytes);
  // REQUIRES: from Take(bytes) with the same bytes, or one of TakeChain(bytes).
  void Give(void* memory, size_t bytes);

  // Up to `count` such pieces at once, linked by their first words; nullptr if there is none.
  // REQUIRES: count > 0.
  [[nodiscard]] void* TakeChain(size_t bytes, size_t count);
  void GiveChain(void* first, size_t bytes);

  // Whole zero pages that are never given back; nullptr if the OS refuses.
  [[nodiscard]] void* TakePages(size_t bytes);

  // Bytes of address space held.
  size_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_relaxed); }

  // The locks of all shelves; false if Lock::AcquireForFork() was of any.
  bool AcquireAllForFork();
  void ReleaseAllAfterFork();

  static constexpr size_t kMaxBytes = 32 * kKiB;

 private:
  // Chosen by 128 threads that start at once and allocate, simulated.
  static constexpr size_t kShelves = 16;
  // Address space that a shelf maps at a time. They double, so that few threads map little.
  static constexpr size_t kFirstChunkBytes = 64 * kKiB;
  static constexpr size_t kMostChunkBytes = 256 * kKiB;
  // What moves from another's shelf at once, or one piece: 15.5 ns for each of 128 B, instead of 29
  // one by one; half takes 16.0, double 16.4 (BM_MetadataTakeHereGiveElsewhere).
  static constexpr size_t kTogetherBytes = 4 * kKiB;

  struct FreePiece {
    FreePiece* next;
  };
  static constexpr size_t kSizes = 10;  // 64 B << i

  struct alignas(kIsolation) Shelf {
    Lock lock{LockRank::kMetadata};
    // Changed under the lock; without it others look whether there is any.
    std::array<std::atomic<FreePiece*>, kSizes> free = {};
    std::byte* chunk ABSL_GUARDED_BY(lock) = nullptr;
    size_t chunk_left ABSL_GUARDED_BY(lock) = 0;
    size_t chunk_bytes ABSL_GUARDED_BY(lock) = kFirstChunkBytes;  // of the next one
    // The sizes that others are asked for first, although the chunk lasts: a bit each.
    uint16_t asks ABSL_GUARDED_BY(lock) = 0;
  };

  static constexpr uint16_t BitOf(size_t index) { return static_cast<uint16_t>(1 << index); }

  Shelf& OwnShelf();
  static void Put(Shelf& shelf, size_t index, FreePiece* piece)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shelf.lock);
  bool AddChunk(Shelf& shelf) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shelf.lock);
  void* TakeFrom(Shelf& shelf, size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shelf.lock);
  FreePiece* TakeFromOthers(size_t index, size_t count);
  FreePiece* TakeMore(Shelf& shelf, size_t index, size_t count);
  void* TakeOneMore(Shelf& shelf, size_t index);

  void CountMapped(size_t bytes);

  const OsOps* const os_;
  MemoryLimit* const limit_;
  std::atomic<size_t> mapped_bytes_{0};
  Shelf shelves_[kShelves];
};

}  // namespace cma

#endif  // CMA_CENTRAL_METADATA_H_
