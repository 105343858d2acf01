// Blocks too large for a superblock: each mapped alone, or, where small pages are dear, some short
// ones together. Freed ones wait for a while, because mapping and touching pages anew costs far
// more than anything else cma does. How much memory waits is bounded; beyond that the oldest gives
// it back, and its addresses still wait.
//
// Owns:      the address space of huge blocks, live and free.
// Locking:   public methods take lock_ (LockRank::kHugeBlocks), or a lock of the table's; the slow
//            system calls are made outside of them. A block that is freed and taken again on one
//            CPU, in the same length, needs the table's only.
// Invariant: a block is in the table iff it is live, in slots_ or free_ iff it waits; never in two.
#ifndef CMA_CENTRAL_HUGE_BLOCKS_H_
#define CMA_CENTRAL_HUGE_BLOCKS_H_

#include <atomic>
#include <cstddef>

#include "central/account.h"
#include "central/dense_writes.h"
#include "central/huge_pages.h"
#include "central/huge_ranges.h"
#include "central/huge_slots.h"
#include "central/huge_table.h"
#include "central/memory_limit.h"
#include "central/metadata.h"
#include "central/recent_peak.h"
#include "os/os_memory.h"
#include "sync/lock.h"

namespace cma {

class HugeBlocks {
 public:
  // `limit` counts the blocks that live, and what holds memory of the others, and may refuse.
  constexpr HugeBlocks(const OsOps& os, Metadata& metadata, MemoryLimit& limit)
      : os_(&os), metadata_(&metadata), limit_(&limit), huge_pages_(os), free_(metadata) {}

  // At least `bytes`, at a multiple of `alignment` and of the page size; nullptr if the OS
  // or the limit refuses. `kZero`: the block must read as zero. It is made so where memory waits
  // for half of it or more, up to 32 MiB; else its pages are untouched. `account`: whose block it
  // is, nullptr for nobody's; the caller has charged `bytes` in whole pages, which is how long such
  // a block is, and Give() refunds them.
  enum class Contents { kAny, kZero };
  [[nodiscard]] std::byte* Take(size_t bytes, size_t alignment, Contents contents,
                                Account* account = nullptr) ABSL_LOCKS_EXCLUDED(lock_);

  // False if no live huge block starts there.
  [[nodiscard]] bool Give(std::byte* block) ABSL_LOCKS_EXCLUDED(lock_);

  // Gives all blocks of the account.
  void GiveAllOf(Account* account) ABSL_LOCKS_EXCLUDED(lock_);

  // Usable bytes; 0 if no live huge block starts there.
  size_t BytesOf(const std::byte* block) { return table_.BytesOf(block); }

  // Whose live block it is; nullptr for nobody's, and if there is none.
  Account* AccountOf(const std::byte* block) { return table_.AccountOf(block); }

  // Usable bytes of a live block after an attempt to make it `bytes` long where it is. Does not
  // charge its account, and Resize() does not either.
  size_t ResizeInPlace(std::byte* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);

  // Makes a live block `bytes` long, in place, by moving its pages to other addresses, or by
  // copying it where that takes less time; where it is now, nullptr if none works and the block is
  // as before. A block of an account is not copied.
  [[nodiscard]] std::byte* Resize(std::byte* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);

  // Usable bytes of the live block that `address` lies in, 0 if there is none; slow, for reports.
  size_t BytesAround(const std::byte* address) { return table_.BytesAround(address); }

  // Whether `address` was in a huge block that was freed lately; for reports.
  bool WasFreed(const std::byte* address) { return table_.WasFreed(address); }

  // Unmaps what has been free for `age` ms, the oldest first, at most `limit` pieces of up to 64
  // MiB with memory; the bytes.
  size_t Release(Milliseconds now, Milliseconds age, size_t limit) ABSL_LOCKS_EXCLUDED(lock_);

  // Memory that waits gives way to the `limit` bytes that the heap has just committed, by no more
  // than that (and 16 MiB where the bound itself has become lower), so that both fill the heap up
  // to its peak, or to a share beyond that.
  enum class UpTo { kPeak, kBeyondPeak };
  void MakeRoom(size_t limit, UpTo up_to = UpTo::kPeak) ABSL_LOCKS_EXCLUDED(lock_);

  // For statistics, in bytes. What is live and held is exact if no block is taken or given
  // meanwhile, even while memory goes back to the OS.
  struct Figures {
    size_t live;
    size_t held;   // free with memory, or on its way back
    size_t empty;  // free and mapped, without memory
  };
  Figures ReadFigures() ABSL_LOCKS_EXCLUDED(lock_);
  // These are a moment's truth.
  size_t live_bytes() const { return Look().live; }
  size_t live_count() const { return table_.count(); }
  // Of blocks that live, and of what waits with memory.
  size_t committed_bytes() const { return committed_.load(std::memory_order_relaxed); }
  size_t cached_bytes() const { return free_.held_bytes() + slots_.bytes(); }  // free, with memory
  size_t empty_bytes() const { return free_.empty_bytes(); }  // free, mapped, without memory
  // Whether Release() may find something, now or later.
  bool HasToRelease() const {
    return cached_bytes() != 0 || (empty_bytes() != 0 && MayUnmapAged());
  }
  size_t returned_bytes() const { return returned_bytes_.load(std::memory_order_relaxed); }

  // For fork.
  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }
  HugeTable& table() { return table_; }
  // In the child, after it: what other threads had in hand is lost, and counts no longer.
  void ForgetOthers() ABSL_LOCKS_EXCLUDED(lock_);

 private:
  using Block = HugeBlock;

  // As many holes as blocks live are in the process's address space at most, if what is free goes.
  // The kernel allows 65,530 mappings, for all that the process maps (proc_sys_vm(5),
  // max_map_count): beyond a part of them what has aged leaves its addresses, unless they are too
  // many or the OS refuses memory. No benchmark tells.
  static constexpr size_t kMostLiveToUnmap = 16'384;
  // After the kernel has refused to unmap, it is asked again after so long, but in need. No
  // benchmark tells.
  static constexpr Milliseconds kRefusalPause = 1'000;

  static size_t AlignmentFor(size_t bytes, size_t alignment);
  size_t WithWholeHugePages(size_t bytes);
  bool HaveTable() ABSL_LOCKS_EXCLUDED(lock_);
  void NotePeak() ABSL_LOCKS_EXCLUDED(lock_);
  void PutAway(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  bool FitsOnCpu(uint32_t cpu, size_t bytes) const;
  void PutOnCpu(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  Block* TakeFrom(Block* range, size_t bytes, size_t alignment) ABSL_LOCKS_EXCLUDED(lock_);
  bool FileSlots() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Block* TakeFree(size_t bytes, size_t alignment, Contents contents, bool exactly)
      ABSL_LOCKS_EXCLUDED(lock_);
  Block* CutOutFree(size_t bytes, size_t alignment, Contents contents, size_t* empty_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Block* TakeFreeAndGrow(size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  HugeRanges::Place FindFree(size_t bytes, size_t alignment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Cache(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  void Trim(size_t limit, UpTo up_to) ABSL_LOCKS_EXCLUDED(lock_);
  void PassTime(Milliseconds now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t InUse() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Bytes, a moment's truth: what waits with memory, what is live, and what the whole heap has
  // committed without the former.
  struct Moment {
    size_t cached;
    size_t live;
    size_t in_use;
  };
  Moment Look() const;
  size_t LeastThatMayWait(size_t waits) const;
  bool HoldsTooMuch() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t MostThatWaits(const Moment& moment, UpTo up_to) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Block* TakeToEmpty(size_t limit, UpTo up_to) ABSL_LOCKS_EXCLUDED(lock_);
  Block* TakeOldest(Milliseconds now, Milliseconds age, bool with_memory)
      ABSL_LOCKS_EXCLUDED(lock_);
  Block* TakeOldestEmpty() ABSL_LOCKS_EXCLUDED(lock_);
  void Empty(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  void Split(Block* block, size_t bytes, Milliseconds rest_idle_since)
      ABSL_LOCKS_EXCLUDED(lock_);
  bool CommitMore(size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  // `moves`: also by moving its pages.
  bool Grow(Block* block, size_t bytes, bool moves) ABSL_LOCKS_EXCLUDED(lock_);
  void GrowByFree(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  bool GrowByMore(Block* block, size_t bytes, bool moves) ABSL_LOCKS_EXCLUDED(lock_);
  Resized GrowHere(Block* block, size_t bytes);
  void GrowHereOnly(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  bool HasWholeHugePages(const Block* block) const;
  bool MovesQuickly(const Block* block);
  bool GrowElsewhere(Block* block, size_t bytes);
  bool GrowLive(Block* block, size_t bytes, bool moves) ABSL_LOCKS_EXCLUDED(lock_);
  std::byte* CopyLonger(Block* block, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  Block* MapNew(size_t bytes, size_t alignment, Contents contents) ABSL_LOCKS_EXCLUDED(lock_);
  Block* MapWithRoom(size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  void AdviseHuge(Block* block);
  void Populate(const Block* block, size_t from) ABSL_LOCKS_EXCLUDED(lock_);
  void SettleMarks(const std::byte* start, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  void NoteLeaving(const Block* block);
  void NoteReturned(const Block* block);
  bool KeepsFreed() const;
  bool WasRefusedLately() const;
  bool HasTooManyAddresses(size_t live) const;
  bool MayUnmapAged() const { return table_.count() <= kMostLiveToUnmap && !WasRefusedLately(); }
  bool TryToUnmap(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  bool TryToDecommit(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  void KeepWithMemory(Block* block);
  bool UnmapOrKeep(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  bool EmptyOrUnmap(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  void PutBack(Block* block) ABSL_LOCKS_EXCLUDED(lock_);
  Block* NewBlock(std::byte* start, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  std::byte* MapCommitted(size_t bytes, size_t alignment);
  bool Commit(size_t bytes);
  void Uncommit(size_t bytes);

  const OsOps* const os_;
  Metadata* const metadata_;
  MemoryLimit* const limit_;
  HugePages huge_pages_;
  Lock lock_{LockRank::kHugeBlocks};
  HugeTable table_;
  HugeSlots slots_;
  HugeRanges free_;  // changed and searched under lock_, asked how much without
  RecentPeak peak_in_use_ ABSL_GUARDED_BY(lock_);
  DenseWrites dense_writes_ ABSL_GUARDED_BY(lock_);
  std::atomic<size_t> committed_{0};
  std::atomic<size_t> leaving_{0};  // no longer committed here, but in the limit's books
  std::atomic<uint32_t> moves_{0};
  std::atomic<Milliseconds> refused_at_{0};  // when unmapping was refused last; 0: it never was
  std::atomic<size_t> returned_bytes_{0};
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_BLOCKS_H_
