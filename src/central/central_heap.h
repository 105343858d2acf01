// The superblocks that no arena uses, and the way to the OS and back.
//
// Owns:      every superblock's address space and tables. Arenas borrow.
// Locking:   public methods take lock_ (LockRank::kCentralHeap), under it only Metadata's.
// Invariant: a superblock in dirty_ may hold memory; one in clean_ holds none and reads as zero.
#ifndef CMA_CENTRAL_CENTRAL_HEAP_H_
#define CMA_CENTRAL_CENTRAL_HEAP_H_

#include <atomic>
#include <bit>
#include <cstddef>

#include "central/address_map.h"
#include "central/huge_pages.h"
#include "central/memory_limit.h"
#include "central/metadata.h"
#include "central/superblock.h"
#include "os/os_memory.h"
#include "sync/lock.h"

namespace cma {

class HugeBlocks;

class CentralHeap {
 public:
  // `limit` counts what may hold memory and may refuse; nullptr: there is none.
  // `huge`: whose memory that waits gives way when this grows; nullptr: nobody's.
  constexpr CentralHeap(const OsOps& os, Metadata& metadata, AddressMap& map,
                        MemoryLimit* limit = nullptr, HugeBlocks* huge = nullptr)
      : os_(&os), metadata_(&metadata), map_(&map), limit_(limit), huge_(huge), huge_pages_(os) {}

  // A superblock whose tables are zero; nullptr if the OS or the limit refuses. `touched` says
  // which of its pages may hold memory; the others read as zero. Those for huge pages are small
  // ones after all where the OS has none, or gives them slowly; the one that is used first has
  // memory here already.
  [[nodiscard]] Superblock* TakeSuperblock(Pages pages = Pages::kSmall,
                                           Ends used_first = Ends::kUpper)
      ABSL_LOCKS_EXCLUDED(lock_);
  // Whether huge pages serve whatever a superblock is for, as small ones take too long.
  bool SmallPagesAreDear() { return huge_pages_.SmallOnesAreDear(); }
  // REQUIRES: nothing in it is in use; its units are out of the unit map.
  void GiveSuperblock(Superblock* superblock, Milliseconds now) ABSL_LOCKS_EXCLUDED(lock_);

  // Returns the memory of superblocks that have been here for `age` ms, at most `limit` of them;
  // the number returned.
  size_t Release(Milliseconds now, Milliseconds age, size_t limit) ABSL_LOCKS_EXCLUDED(lock_);
  // Gives free address space back too; the number of superblocks given back.
  size_t Unmap() ABSL_LOCKS_EXCLUDED(lock_);

  // Superblock by its number; for links in tables. REQUIRES: it exists.
  Superblock* FromNumber(uint32_t number) const {
    // Acquire pairs with the release in ChunkOf().
    return chunks_[number >> kIndexBits].load(std::memory_order_acquire) +
           (number & (kMostInChunk - 1));
  }

  // How many superblocks were ever made, some perhaps without address space by now; and the i-th.
  uint32_t superblocks_made() const { return count_.load(std::memory_order_acquire); }
  Superblock* Nth(uint32_t i) const { return FromNumber(NumberOf(i)); }

  // For statistics; each a moment's truth.
  size_t mapped_bytes() const { return mapped_bytes_.load(std::memory_order_relaxed); }
  size_t free_superblocks() const { return free_count_.load(std::memory_order_relaxed); }
  size_t dirty_superblocks() const { return dirty_count_.load(std::memory_order_relaxed); }
  size_t returned_bytes() const { return returned_bytes_.load(std::memory_order_relaxed); }
  void CountReturned(size_t bytes, bool lazily) {
    returned_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (lazily) returned_lazily_.store(true, std::memory_order_relaxed);
  }
  // Whether pages that count as untouched may hold old contents (madv_free). The caller has the
  // lock of an arena; what was returned of it was so under the same lock.
  bool has_returned_lazily() const { return returned_lazily_.load(std::memory_order_relaxed); }

  const OsOps& os() const { return *os_; }
  Metadata& metadata() const { return *metadata_; }
  AddressMap& map() const { return *map_; }
  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

 private:
  // Descriptors are made in chunks. The first ones are short, each twice as long as the one before:
  // a small heap needs few. Numbers are (chunk << kIndexBits | index): they have gaps.
  static constexpr unsigned kIndexBits = 10;
  static constexpr uint32_t kMostInChunk = 1u << kIndexBits;
  static constexpr unsigned kFirstBits = 3;
  static constexpr unsigned kGrowing =
      kIndexBits - kFirstBits;           // chunks before those of full length
  static constexpr size_t kChunks = 520;  // more than 2 TiB of superblocks; 2^20 numbers fit a link

  static constexpr uint32_t ChunkLength(uint32_t chunk) {
    return 1u << (chunk < kGrowing ? kFirstBits + chunk : kIndexBits);
  }
  // The i-th.
  static constexpr uint32_t NumberOf(uint32_t i) {
    const uint32_t from_first = i + (1u << kFirstBits);
    if (from_first >= kMostInChunk) return from_first + ((kGrowing - 1) << kIndexBits);
    const auto bits = static_cast<uint32_t>(std::bit_width(from_first)) - 1;
    return (bits - kFirstBits) << kIndexBits | (from_first - (1u << bits));
  }
  Superblock* ChunkOf(uint32_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool HaveHugePages(Superblock* superblock, Ends used_first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // `newly_committed`: it did not have its memory yet.
  Superblock* TakeWithPages(Pages pages, Ends used_first, bool& newly_committed)
      ABSL_LOCKS_EXCLUDED(lock_);
  Superblock* TakeAny() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Superblock* NewSuperblock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Superblock* NewDescriptor() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Superblock* MapSuperblock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Clean(Superblock* superblock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool Commit();
  void Uncommit();

  const OsOps* const os_;
  Metadata* const metadata_;
  AddressMap* const map_;
  MemoryLimit* const limit_;
  HugeBlocks* const huge_;
  // The pointers above are read at many a miss: what is written under the lock is apart.
  alignas(kIsolation) Lock lock_{LockRank::kCentralHeap};
  IntrusiveList<Superblock> dirty_ ABSL_GUARDED_BY(lock_);       // newest first
  IntrusiveList<Superblock> clean_ ABSL_GUARDED_BY(lock_);
  IntrusiveList<Superblock> descriptors_ ABSL_GUARDED_BY(lock_);  // without address space
  HugePages huge_pages_;
  // Descriptors ever made; written under lock_.
  std::atomic<uint32_t> count_{0};
  std::atomic<Superblock*> chunks_[kChunks] = {};
  std::atomic<size_t> mapped_bytes_{0};
  std::atomic<size_t> free_count_{0};
  std::atomic<size_t> dirty_count_{0};
  std::atomic<size_t> returned_bytes_{0};
  std::atomic<bool> returned_lazily_{false};
};

}  // namespace cma

#endif  // CMA_CENTRAL_CENTRAL_HEAP_H_
