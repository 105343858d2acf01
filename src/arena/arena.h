// One CPU's share of the heap: lends blocks to thread caches in batches.
//
// Owns:      its slabs and runs. Borrows superblocks from the central heap.
// Locking:   each public method takes lock_ (LockRank::kArena) unless it says otherwise; under it
//            the central heap's lock may be taken, never another arena's. Post() takes it only
//            where parcels have piled up.
// Invariant: a slab is in partial_[class][fullness], or mixed_[fullness], iff it has a free block.
#ifndef CMA_ARENA_ARENA_H_
#define CMA_ARENA_ARENA_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>

#include "arena/block_list.h"
#include "arena/parcel.h"
#include "base/constants.h"
#include "runs/run_heap.h"
#include "slabs/size_classes.h"
#include "slabs/slab.h"
#include "sync/lock.h"

namespace cma {

// Blocks of one class that caches have given back and others will want in a moment: a stack of
// addresses, exchanged a batch at a time.
struct Depot {
  std::byte** blocks;  // nullptr if it was never used
  uint32_t capacity;   // 0 if it was never used
  uint32_t count;
  uint32_t used;       // when there last was a batch: Arena::batches_ then
  uint32_t least;      // fewest blocks since the last sweep: nobody needed those
};
// Blocks in a depot of the class: 1 MiB, as far as the limits make sense. The upper one was chosen by
// batch_order, which takes 1.2 times as long with 1,024; 8,192 is the same. The lower one is a parcel.
constexpr size_t DepotCapacity(SizeClass c) {
  return std::clamp<size_t>(kMiB / ClassBytes(c), 256, 4096);
}
static_assert(DepotCapacity(1) * sizeof(std::byte*) <= Metadata::kMaxBytes);

// What of an arena's superblocks is where, in bytes.
struct ArenaStats {
  size_t superblock_bytes = 0;
  size_t slab_bytes = 0;       // units that are slabs
  size_t small_lent_bytes = 0; // blocks of slabs that are neither free there nor in a depot
  size_t run_lent_bytes = 0;   // used runs that are in no depot
  size_t free_run_bytes = 0;
  size_t inbox_bytes = 0;
  size_t dirty_bytes = 0;      // pages of free runs and idle pages of slabs that hold memory
  size_t untouched_bytes = 0;  // pages of free runs and slabs that hold none
  size_t large_bytes = 0;      // part of run_lent_bytes: blocks of no size class
  size_t large_blocks = 0;
};

// One size class in an arena, in blocks.
struct ArenaClassStats {
  static constexpr size_t kFullnesses = 5;
  size_t lent = 0;  // live, or in a thread's cache or parcel
  size_t in_mixed = 0;  // of those lent and in the depot: not in a slab of the class
  size_t depot = 0;
  size_t free = 0;  // in slabs
  size_t slabs = 0;
  // Slabs by the share of their blocks that are not free: a quarter each, then the full ones.
  size_t slabs_by_fullness[kFullnesses] = {};
};

class alignas(kIsolation) Arena {
 public:
  constexpr Arena(CentralHeap& central, ArenaId id) : id_(id), runs_(central, id) {}

  ArenaId id() const { return id_; }

  // Fills a prefix of `out` with blocks of the class; its length, 0 if there are none and the OS
  // refuses memory or `growth` does. (The rest of the `want` words is undefined then.) The best one
  // to use first, the warmest or the lowest, is the last. `ahead`, if it is not null, is empty and
  // gets what is for Populate(). REQUIRES (these three): the caller holds lock().
  [[nodiscard]] size_t TakeBlocks(SizeClass c, std::byte** out, size_t want,
                                  Growth growth = Growth::kBySuperblocks,
                                  PageRange* ahead = nullptr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // The same for a thread that takes its first ones: whole cache lines of which nobody has a block,
  // as far as the first slab of some fullness has them; else 0, and where a depot has blocks.
  // REQUIRES: the class is small.
  [[nodiscard]] size_t TakeLines(SizeClass c, std::byte** out, size_t want)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Takes blocks of any small or medium class back. REQUIRES: their superblocks are this arena's.
  void GiveBlocks(std::byte* const* blocks, size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // The same for blocks of one class.
  void GiveBlocks(SizeClass c, std::byte* const* blocks, size_t count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    c < kSmallClasses ? GiveSmall(c, blocks, count) : GiveBlocks(blocks, count);
  }
  // And the hurried way: they may wait, still as a batch,
  // for whoever takes blocks of the class next.
  void GiveBatch(SizeClass c, std::byte* const* blocks, size_t count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Gives what waits for takers, in depots that others have passed by for a while, back to slabs
  // and runs.
  void GiveIdleDepots() ABSL_LOCKS_EXCLUDED(lock_);
  // Whether a small or medium block of this arena is free in its slab or in the depot.
  bool HoldsFree(SizeClass c, const std::byte* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Whether a block is on its way home to this arena, in the inbox.
  bool HoldsPosted(const std::byte* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Tells the arenas how to ask whether a block waits in some thread's cache, which the layer
  // above knows.
  using CacheProbe = bool (*)(SizeClass c, const std::byte* block);
  static void SetCacheProbe(CacheProbe probe) { cache_probe_ = probe; }
  // Takes in what other arenas' threads have posted, and marks the blocks as free: but for
  // large runs that came alone the poster has not touched them. As far as there is room they go
  // into `lists`, one for each size class: those of the calling thread's cache, if this is its
  // arena. List 0 is for large runs.
  void DrainInbox(BlockList* lists = g_no_lists.data()) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  // A run of `bytes` at a multiple of `alignment`; nullptr if there is none and the OS refuses memory
  // or `growth` does. `zero_pages` may be null. REQUIRES: bytes <= kLargeMax.
  [[nodiscard]] std::byte* TakeRun(size_t bytes, size_t alignment, ZeroPages* zero_pages,
                                   Growth growth = Growth::kBySuperblocks)
      ABSL_LOCKS_EXCLUDED(lock_);
  // The same for a caller who holds lock().
  [[nodiscard]] std::byte* TakeRunLocked(size_t bytes, size_t alignment, ZeroPages* zero_pages,
                                         Growth growth = Growth::kBySuperblocks,
                                         PageRange* ahead = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // REQUIRES: `run` is used, checked under no lock: the block is the caller's.
  void GiveRun(const Run& run) ABSL_LOCKS_EXCLUDED(lock_);
  // Usable bytes of the block after an attempt to make it `bytes` long in place.
  size_t ResizeRun(const Run& run, size_t bytes) ABSL_LOCKS_EXCLUDED(lock_);
  size_t ResizeRunLocked(const Run& run, size_t bytes, PageRange* ahead = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  // Fetches the memory of pages that the program is about to write, as TakeBlocks() has told.
  // Without the lock, as it takes some microseconds.
  void Populate(const PageRange& ahead) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (ahead.bytes != 0) runs_.central().os().populate(ahead.start, ahead.bytes);
  }

  // Hands over a parcel for this arena. Lock-free, except that the poster takes the mail in itself
  // where it has piled up because nobody allocates here. Any thread.
  void Post(Parcel* parcel) ABSL_LOCKS_EXCLUDED(lock_);
  // The same; but takes this one in at once if the arena is not busy.
  void Deliver(Parcel* parcel) ABSL_LOCKS_EXCLUDED(lock_);
  // Parcels that have come back empty to the arena that sent them, linked; nullptr if none has.
  Parcel* TakeEmptyParcels(ParcelSize size);
  // Sends one back. REQUIRES: this arena is its sender.
  void ReturnEmpty(Parcel* parcel);
  bool HasPost() const { return inbox_.load(std::memory_order_relaxed) != nullptr; }

  // Sweeps the next superblock of round `round` that needs it, or goes past some that do not: pages
  // that were idle at the last round go back to the OS, idle ones are marked for the next;
  // `at_once` takes both. At most kSweepRanges ranges are returned per call, or as many more as the
  // last slab has. False when the round is over. *pending is set if a later round will find work.
  bool SweepStep(uint32_t round, bool at_once, bool* pending) ABSL_LOCKS_EXCLUDED(lock_);

  // Whether threads slept for the lock when the last step ended. They have been woken, and whoever
  // takes the next step at once has the lock again before one of them runs.
  bool IsWanted() const { return wanted_.load(std::memory_order_relaxed); }

  // Gives all memory to the central heap, whatever lives there; with zero_on_free it reads as zero
  // then. For the arenas of heaps that the program makes: no cache, parcel or depot holds a block
  // of theirs.
  void Clear() ABSL_LOCKS_EXCLUDED(lock_);

  // In free runs. A moment's truth, without the lock.
  size_t FreeRunBytes() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return runs_.free_granules() << kGranuleShift;
  }
  // In runs that are lent, those that wait in caches and depots as well. A moment's truth.
  size_t LentRunBytes() const { return run_lent_bytes_.load(std::memory_order_relaxed); }
  size_t SuperblockBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    return runs_.superblock_count() * kSuperblockBytes;
  }
  // Whether a good part of the slabs' blocks is free. (Most slabs have a tail where no block fits.)
  bool IsLoose() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    return slab_block_bytes_ - small_lent_bytes_ > slab_block_bytes_ / kLooseShare;
  }
  // Whether there are slabs that several classes share. A moment's truth, without the lock.
  bool HasMixed() const { return mixed_count_.load(std::memory_order_relaxed) != 0; }
  // Notes that a thread, known by any address of its own, comes for memory or brings some; whether
  // the last one that came was another. A moment's truth, without the lock.
  bool NoteVisit(const void* visitor) {
    if (last_visitor_.load(std::memory_order_relaxed) == visitor) return false;
    last_visitor_.store(visitor, std::memory_order_relaxed);
    return true;
  }
  // Threads make the arena theirs, and leave it.
  void Join() { users_.fetch_add(1, std::memory_order_relaxed); }
  void Leave() { users_.fetch_sub(1, std::memory_order_relaxed); }
  bool HasUsers() const { return users_.load(std::memory_order_relaxed) != 0; }
  // False if it is not just so many threads' already.
  [[nodiscard]] bool JoinIfUsedBy(uint32_t threads) {
    return users_.load(std::memory_order_relaxed) == threads &&
           users_.compare_exchange_strong(threads, threads + 1, std::memory_order_relaxed);
  }
  // In the child of a fork.
  void ForgetUsers() { users_.store(0, std::memory_order_relaxed); }
  // `classes`, if not null, are kSizeClasses entries to which what is here is added.
  ArenaStats Stats(ArenaClassStats* classes = nullptr) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  Lock& lock() ABSL_LOCK_RETURNED(lock_) { return lock_; }

  // Ranges, and pages, returned per SweepStep(): at about 1 us and 50 ns each, the lock is held no
  // longer than a thread that finds it taken sleeps anyway. Half and double the same in
  // sparse_survivors/1 at rest.
  static constexpr int kSweepRanges = 32;
  static constexpr size_t kSweepPages = 512;
  // Of the slabs' blocks, more than one in so many is free where the arena is loose. slot_churn/1 peaks at 1.09
  // with half, and the same with double.
  static constexpr size_t kLooseShare = 8;
  // Bytes in runs from which on it may fetch the memory of more. Chosen by what a small program
  // runs; large_churn/1 has 0.9 of the page faults with half, 1.16 with double.
  static constexpr size_t kLargeArena = kMiB;
  // Parcels, of up to 2 KiB each, that may pile up, if they are light. Half and double the same in
  // producer_consumer/8.
  static constexpr uint32_t kMostParcels = 64;
  // One counts once more for each so many bytes of its blocks. No benchmark tells.
  static constexpr size_t kHeavyBytes = 128 * kKiB;

 private:
  // Quarters, as FullnessOf() counts them.
  static constexpr size_t kFullnesses = 4;
  using SlabLists = std::array<IntrusiveList<Slab>, kFullnesses>;
  // Mixed slabs, list i: those whose longest hole is of 2^i pieces or more, below twice that; as
  // far as it is known, and what serves every class is not looked at closely.
  using MixedLists = std::array<IntrusiveList<Slab>, std::bit_width(kUnitBytes / kMinAlignment)>;

  void CountMixed(uint32_t slabs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    mixed_count_.store(mixed_count_.load(std::memory_order_relaxed) + slabs,
                       std::memory_order_relaxed);
  }
  // So many bytes more in runs that are lent, modulo 2^64.
  void CountLent(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    run_lent_bytes_.store(LentRunBytes() + bytes, std::memory_order_relaxed);
  }
  size_t TakeSmall(SizeClass c, std::byte** out, size_t want, Growth growth, PageRange* ahead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t TakeMedium(SizeClass c, std::byte** out, size_t want, Growth growth, PageRange* ahead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t TakeMixed(SizeClass c, std::byte** end, size_t want, Growth growth)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  IntrusiveList<Slab>& ListOf(const Slab* slab, uint8_t fullness)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Slab* FullestSlab(SizeClass c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Slab* AddSlab(SizeClass c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void RemoveSlab(Slab* slab) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void FetchAhead(Slab* slab, uint16_t touched, std::byte* next, PageRange* ahead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void FetchAhead(const Run& run, size_t untouched, PageRange* ahead)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Whether its runs are worth looking at. What a small program runs is little code.
  bool IsLarge() const { return LentRunBytes() >= kLargeArena; }
  void Relist(Slab* slab) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t GiveToOneSlab(Slab* slab, std::byte* const* blocks, size_t count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void GiveOneMixed(Superblock* superblock, std::byte* block, SizeClass c)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void GiveSmall(SizeClass c, std::byte* const* blocks, size_t count)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void GiveOneRun(Superblock* superblock, std::byte* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool MayGoWhenEmpty(const Slab* slab) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  void CheckDoubleFree(SizeClass c, const std::byte* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  struct Sweep;
  enum class SweepResult { kDone, kOutOfBudget, kGone };  // kGone: not this arena's any longer
  bool SweepUnit(Superblock* superblock, size_t unit, Sweep& sweep)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  SweepResult SweepSuperblock(Superblock* superblock, Sweep& sweep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void SweepFreeRun(const Run& run, Sweep& sweep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void SweepSlab(Slab* slab, Sweep& sweep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  static bool IsWorthBreaking(Superblock* superblock);
  bool SweepNext(uint32_t round, bool at_once, bool* pending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool ReturnPages(Superblock* superblock, size_t first, size_t last)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  int PackSlab(Slab* slab) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  int PackSuperblock(Superblock* superblock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool IsSparse() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // What is left to look at before the arena grows by a superblock.
  struct Turn {
    size_t superblocks;  // of the arena's
    size_t numbers;      // of all
  };
  Turn StartTurn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  Superblock* NextInTurn(Turn& turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  bool Mix(SizeClass c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void MixOneSlab(Slab* slab) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t TakeFromHoles(SizeClass c, std::byte** end, size_t want)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Pack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  Depot* DepotFor(SizeClass c, size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void CountSlab(const Slab* slab, ArenaStats& stats, ArenaClassStats* classes);
  void CountFreeRun(const Run& run, ArenaStats& stats);
  void CountUsedRun(const Run& run, ArenaStats& stats, ArenaClassStats* classes);
  SizeClass ClassOfBlock(const std::byte* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  size_t DepotLimit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void TakeIn(const Parcel* parcel, BlockList* lists) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void TakeInLarge(std::byte* block, BlockList* lists) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void EmptyDepot(Depot& depot, SizeClass c, size_t keep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void SweepDepots(bool at_once) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  inline static constinit CacheProbe cache_probe_ = nullptr;

  const ArenaId id_;
  Lock lock_{LockRank::kArena};
  std::atomic<const void*> last_visitor_{nullptr};  // here: who comes takes the lock next
  RunHeap runs_ ABSL_GUARDED_BY(lock_);
  std::array<SlabLists, kSmallClasses> partial_ ABSL_GUARDED_BY(lock_) = {};
  std::array<Depot, kSizeClasses> depots_ ABSL_GUARDED_BY(lock_) = {};
  MixedLists mixed_ ABSL_GUARDED_BY(lock_) = {};
  size_t depot_bytes_ ABSL_GUARDED_BY(lock_) = 0;
  uint32_t batches_ ABSL_GUARDED_BY(lock_) = 0;  // given to depots, or taken
  uint32_t depot_round_ ABSL_GUARDED_BY(lock_) = 0;
  size_t slabs_ ABSL_GUARDED_BY(lock_) = 0;
  std::array<uint32_t, kSmallClasses> slabs_of_class_ ABSL_GUARDED_BY(lock_) = {};  // not mixed
  size_t slab_block_bytes_ ABSL_GUARDED_BY(lock_) = 0;  // of all blocks in slabs, lent or free
  uint32_t turn_number_ ABSL_GUARDED_BY(lock_) = 0;
  size_t small_lent_bytes_ ABSL_GUARDED_BY(lock_) = 0;
  std::atomic<size_t> run_lent_bytes_{0};  // written with the lock held
  std::atomic<uint32_t> mixed_count_{0};   // slabs; written with the lock held
  std::atomic<bool> wanted_{false};        // written with the lock held
  // Written by other CPUs: apart from what the owner uses.
  alignas(kIsolation) std::atomic<Parcel*> inbox_{nullptr};
  std::atomic<uint32_t> inbox_weight_{0};            // of what has come since it was last emptied
  std::atomic<Parcel*> empties_[kParcelSizes] = {};  // by size
  std::atomic<uint32_t> users_{0};                   // threads whose arena it is
};

}  // namespace cma

#endif  // CMA_ARENA_ARENA_H_
