// Blocks too large for a superblock: each mapped alone. Freed ones wait in a bounded cache for a
// while, because mapping and touching pages anew costs far more than anything else cma does.
//
// Owns:      the address space of huge blocks, live and cached.
// Locking:   public methods take lock_ (LockRank::kHugeBlocks); the slow system calls are made
//            outside of it.
// Invariant: a block is in the table iff it is live, in cache_ iff it is not; never both.
#ifndef CMA_CENTRAL_HUGE_BLOCKS_H_
#define CMA_CENTRAL_HUGE_BLOCKS_H_

#include <atomic>
#include <cstddef>

#include "base/intrusive_list.h"
#include "central/account.h"
#include "central/memory_limit.h"
#include "central/metadata.h"
#include "os/os_memory.h"
#include "sync/lock.h"

namespace cma {

class HugeBlocks {
 public:
  // `limit` counts the blocks, live and cached, and may refuse; nullptr: there is none.
  constexpr HugeBlocks(const OsOps& os, Metadata& metadata, MemoryLimit* limit = nullptr)
      : os_(&os), metadata_(&metadata), limit_(limit) {}

  // At least `bytes`, at a multiple of `alignment` and of the page size; nullptr if the OS
  // or the limit refuses. `zero`: the block must read as zero, and then its pages are untouched.
  // `account`: whose block it is, nullptr for nobody's; the caller has charged `bytes` in whole
  // pages, which is how long such a block is, and Give() refunds them.
  enum class Contents { kAny, kZero };
  [[nodiscard]] std::byte* Take(size_t bytes, size_t alignment, Contents contents,
                                Account* account = nullptr) ABSL_LOCKS_EXCLUDED(lock_);

  // False if no live huge block starts there.
  [[nodiscard]] bool Give(std::byte* block) ABSL_LOCKS_EXCLUDED(lock_);

  // Gives all blocks of the account.
  void GiveAllOf(Account* account) ABSL_LOCKS_EXCLUDED(lock_);

  // Usable bytes; 0 if no live huge block starts there.
  size_t BytesOf(const std::byte* block) ABSL_LOCKS_EXCLUDED(lock_);

  // Whose live block it is; nullptr for nobody's, and if there is none.
  Account* AccountOf(const std::byte* block) ABSL_LOCKS_EXCLUDED(lock_);

  // Usable bytes of a live block after an attempt to make it `bytes` long where it is. Does not
  // charge its account, and Resize() does not either.
  size_t ResizeInPlace(std::byte* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);

  // Makes a live block `bytes` long, in place or by moving its pages to other addresses without
  // copying; where it is now, nullptr if neither works and the block is as before.
  [[nodiscard]] std::byte* Resize(std::byte* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);

  // Usable bytes of the live block that `address` lies in, 0 if there is none; slow, for reports.
  size_t BytesAround(const std::byte* address) ABSL_LOCKS_EXCLUDED(lock_);

  // Whether `address` was in a huge block that was freed lately; for reports.
  bool WasFreed(const std::byte* address) ABSL_LOCKS_EXCLUDED(lock_);

  // Unmaps cached blocks that are older than `age` ms, at most `limit`; the bytes.
  size_t Release(Milliseconds now, Milliseconds age, size_t limit) ABSL_LOCKS_EXCLUDED(lock_);

  // For statistics, in bytes; each a moment's truth.
  size_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  size_t live_count() const { return live_count_.load(std::memory_order_relaxed); }
  size_t cached_bytes() const { return cached_bytes_.load(std::memory_order_relaxed); }
  size_t returned_bytes() const { return returned_bytes_.load(std::memory_order_relaxed); }

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

 private:
  struct Block : ListNode<Block> {
    Block* chain;  // next in its bucket of the table
    std::byte* start;
    size_t bytes;
    Account* account;
    Milliseconds idle_since;
    uint32_t mapping;  // number of the mapping that it is a part of
  };

  // Half is the same in BM_HugeFindAmongMany.
  static constexpr size_t kBuckets = 4096;
  // How many freed blocks a second free is told from a wrong pointer for. No benchmark tells.
  static constexpr size_t kRecent = 64;

  static size_t BucketOf(const std::byte* start);
  bool HaveTable() ABSL_LOCKS_EXCLUDED(lock_);
  Block* Find(const std::byte* start) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Enter(Block* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Block* Leave(std::byte* start) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Settle(Block* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Block* LeaveOneOf(const Account* account, size_t bucket) ABSL_LOCKS_EXCLUDED(lock_);
  void PutAway(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  Block* TakeCached(size_t bytes, size_t alignment) ABSL_LOCKS_EXCLUDED(lock_);
  Block* TakeCachedToGrow(size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  uint32_t NextMapping() { return mappings_.fetch_add(1, std::memory_order_relaxed); }
  void JoinCached(Block* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Cache(Block* block, Milliseconds idle_since) ABSL_LOCKS_EXCLUDED(lock_);
  void TrimCache() ABSL_LOCKS_EXCLUDED(lock_);
  void Split(Block* block, size_t bytes, Milliseconds rest_idle_since)
      ABSL_LOCKS_EXCLUDED(lock_);
  bool CommitMore(size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  bool Grow(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  void GrowByCached(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  bool GrowByMore(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  bool GrowHere(Block* block, size_t bytes);
  void GrowHereOnly(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  bool GrowElsewhere(Block* block, size_t bytes);
  Block* MapNew(size_t bytes, size_t alignment, Contents contents) ABSL_LOCKS_EXCLUDED(lock_);
  bool KeepsFreed() const;
  void UnmapBlock(Block* block);
  Block* NewBlock(std::byte* start, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  std::byte* MapCommitted(size_t bytes, size_t alignment);
  bool Commit(size_t bytes);
  void Uncommit(size_t bytes);
  Block* PopOldest(Milliseconds now, Milliseconds age) ABSL_LOCKS_EXCLUDED(lock_);

  const OsOps* const os_;
  Metadata* const metadata_;
  MemoryLimit* const limit_;
  Lock lock_{LockRank::kHugeBlocks};
  IntrusiveList<Block> cache_ ABSL_GUARDED_BY(lock_);  // the last one first
  std::atomic<uint32_t> mappings_{0};
  size_t recent_next_ ABSL_GUARDED_BY(lock_) = 0;
  std::atomic<size_t> live_bytes_{0};
  std::atomic<size_t> live_count_{0};
  std::atomic<size_t> cached_bytes_{0};
  std::atomic<size_t> returned_bytes_{0};
  struct {
    const std::byte* start;
    size_t bytes;
  } recent_[kRecent] ABSL_GUARDED_BY(lock_) = {};
  Block** table_ ABSL_GUARDED_BY(lock_) =
      nullptr;  // kBuckets long; nullptr: there never was a block
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_BLOCKS_H_
