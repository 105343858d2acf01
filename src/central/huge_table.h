// The huge blocks that live, by where they start, and where those began that were freed lately.
//
// Owns:      nothing; a block that is entered or has left belongs to the caller.
// Locking:   stripes with a lock each (LockRank::kHugeTable; fork takes all, by number), so that
//            threads with blocks of their own seldom meet. Methods take them themselves.
// Invariant: a block is in it iff it is live.
#ifndef CMA_CENTRAL_HUGE_TABLE_H_
#define CMA_CENTRAL_HUGE_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "central/huge_range_index.h"
#include "central/metadata.h"
#include "sync/lock.h"

namespace cma {

class HugeTable {
 public:
  // Half is the same in BM_HugeFindAmongMany.
  static constexpr size_t kBuckets = 4096;

  constexpr HugeTable() = default;

  // Makes it before the first block; false if the OS refuses. One thread at a time.
  [[nodiscard]] bool Open(Metadata& metadata);
  bool is_open() const { return Get() != nullptr; }

  // REQUIRES: it is open.
  void Enter(HugeBlock* block);

  // The block that starts there, which is the caller's then; nullptr if none lives. Freed: it is
  // remembered, and whoever was charged for it is refunded. Moved: it will be entered again.
  [[nodiscard]] HugeBlock* LeaveFreed(const std::byte* start);
  [[nodiscard]] HugeBlock* LeaveMoved(const std::byte* start);
  // LeaveFreed() for one in the bucket that the account is charged for, if there is one.
  [[nodiscard]] HugeBlock* LeaveOneOf(const Account* account, size_t bucket);

  // Usable bytes, and who is charged for it; 0 and nullptr if no live block starts there.
  size_t BytesOf(const std::byte* start);
  Account* AccountOf(const std::byte* start);

  // Usable bytes of the live block that the address lies in, 0 if there is none; slow.
  size_t BytesAround(const std::byte* address);
  // Whether the address was in a block that was freed lately.
  bool WasFreed(const std::byte* address);

  // A moment's truth.
  size_t count() const;
  // Usable bytes of all; slow.
  size_t CountBytes();

  // All its locks; false if Lock::AcquireForFork() was of any.
  bool AcquireAllForFork();
  void ReleaseAllAfterFork();

 private:
  // Half and double are the same in BM_HugeTakeThenGive of two and eight threads.
  static constexpr size_t kStripes = 16;
  static constexpr size_t kBucketsOfStripe = kBuckets / kStripes;
  // How many freed blocks a second free is told from a wrong pointer for, in each. No benchmark
  // tells.
  static constexpr size_t kRecent = 12;

  struct alignas(kIsolation) Stripe {
    explicit Stripe(HugeBlock** its_buckets) : buckets(its_buckets) {}

    Lock lock{LockRank::kHugeTable};
    uint32_t next_recent ABSL_GUARDED_BY(lock) = 0;
    HugeBlock** const buckets ABSL_PT_GUARDED_BY(lock);  // lists, linked by `chain`
    std::atomic<size_t> count{0};                        // changed under the lock
    struct {
      const std::byte* start;
      size_t bytes;
    } recent[kRecent] ABSL_GUARDED_BY(lock) = {};
  };
  struct Table {
    Stripe stripes[kStripes];
    HugeBlock* buckets[kBuckets];
  };

  // Acquire pairs with the release in Open().
  Table* Get() const { return table_.load(std::memory_order_acquire); }
  static size_t BucketOf(const std::byte* start);
  // nullptr if it is not open.
  Stripe* StripeOf(size_t bucket) const;
  static HugeBlock* Find(Stripe& stripe, const std::byte* start)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.lock);
  static HugeBlock* Leave(Stripe& stripe, const std::byte* start)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.lock);
  template <typename F>
  void ForEach(F f);
  static void Settle(Stripe& stripe, HugeBlock* block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stripe.lock);
  std::atomic<Table*> table_{nullptr};  // nullptr: there never was a block
};

}  // namespace cma

#endif  // CMA_CENTRAL_HUGE_TABLE_H_
