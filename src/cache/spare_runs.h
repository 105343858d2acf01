// A few large runs that a thread has freed and may want again: buffers that are allocated, used and
// freed time and again need no lock, and are not merged only to be cut out again.
//
// Owner:     its cache's thread; not thread-safe. Other threads may ask what is there, and get a
//            moment's truth.
// Invariant: every run is in use by its tags, belongs to an arena that threads work with, and
//            carries the free key in its second word.
#ifndef CMA_CACHE_SPARE_RUNS_H_
#define CMA_CACHE_SPARE_RUNS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/constants.h"

namespace cma {

class SpareRuns {
 public:
  // Bytes of a run that may wait, and of all of them: a longer one costs more to fill than its
  // arena does, and all show as memory. Half and double the same in large_churn/1 of 16 to 116 KiB.
  static constexpr size_t kMostBytes = 128 * kKiB;
  static constexpr size_t kAllBytes = 256 * kKiB;

  constexpr SpareRuns() = default;

  // One of `bytes`, or less than a slot more, at a multiple of `alignment`, which is the caller's
  // then; 0 if there is none.
  [[nodiscard]] uintptr_t Take(size_t bytes, size_t alignment) {
    for (size_t i = 0; all_bytes() != 0 && i < kRuns; ++i) {
      if (!Serves(bytes_[i], bytes) || AddressAt(i) % alignment != 0) continue;
      is_used_ = true;
      misses_ = 0;
      return TakeAt(i);
    }
    ++misses_;
    NoteMissed(static_cast<uint32_t>(bytes));
    return 0;
  }
  // Whether one that is freed should wait: the last requests that found none were for this length
  // twice. Where each is for another length the arena should have it at once, to merge.
  bool IsWanted(size_t bytes) const {
    if (missed_again_ == 0) return false;
    bool wanted = false;
    for (size_t i = 0; i < kRuns; ++i) {
      wanted = wanted || ((missed_again_ >> i & 1) != 0 && Serves(bytes, missed_[i]));
    }
    return wanted;
  }

  // One that has to go before `bytes` more may come; 0 if they may.
  [[nodiscard]] uintptr_t TakeOldestFor(size_t bytes) {
    for (size_t i = 0; i < kRuns; ++i) {
      if (bytes_[i] == 0 && all_bytes() + bytes <= kAllBytes) return 0;
    }
    return TakeOldest();
  }
  [[nodiscard]] uintptr_t TakeOldest() {
    for (size_t i = 0; i < kRuns; ++i) {
      oldest_ = (oldest_ + 1) % kRuns;
      if (bytes_[oldest_] == 0) continue;
      // A fork may have stopped its thread in Add().
      if (const uintptr_t run = TakeAt(oldest_); run != 0) return run;
    }
    return 0;
  }
  // REQUIRES: TakeOldestFor(bytes) has nothing; bytes <= kMostBytes.
  void Add(uintptr_t run, size_t bytes) {
    if (all_bytes() == 0) misses_ = 0;
    size_t i = (oldest_ + 1) % kRuns;
    while (bytes_[i] != 0) i = (i + 1) % kRuns;
    bytes_[i] = static_cast<uint32_t>(bytes);
    addresses_[i].store(run, std::memory_order_relaxed);
    all_bytes_.store(all_bytes() + bytes, std::memory_order_relaxed);
  }

  // Whether those that wait served none of the last requests, and should go.
  bool AreStale() const { return misses_ >= kMostMisses && all_bytes() != 0; }
  // Whether one was taken since the last time that this was asked.
  bool TestAndClearUsed() {
    const bool used = is_used_;
    is_used_ = false;
    return used;
  }

  bool Holds(uintptr_t run) const {
    bool found = false;
    for (size_t i = 0; all_bytes() != 0 && i < kRuns; ++i) found = found || AddressAt(i) == run;
    return found;
  }
  size_t all_bytes() const { return all_bytes_.load(std::memory_order_relaxed); }
  size_t Count() const {
    size_t count = 0;
    for (size_t i = 0; i < kRuns; ++i) count += AddressAt(i) != 0 ? 1 : 0;
    return count;
  }

 private:
  static constexpr size_t kRuns = 4;
  // Half and double the same there, too.
  static constexpr uint32_t kMostMisses = 16;

  void NoteMissed(uint32_t bytes) {
    const size_t i = bytes / kLargeStep % kRuns;
    const uint32_t bit = 1u << i;
    missed_again_ = missed_[i] == bytes ? missed_again_ | bit : missed_again_ & ~bit;
    missed_[i] = bytes;
  }
  // A run is longer than what it was cut for by less than a slot.
  static bool Serves(size_t run, size_t bytes) {
    return run - bytes < kSlotBytes;  // not if it is shorter
  }
  uintptr_t AddressAt(size_t i) const { return addresses_[i].load(std::memory_order_relaxed); }
  uintptr_t TakeAt(size_t i) {
    const uintptr_t run = AddressAt(i);
    addresses_[i].store(0, std::memory_order_relaxed);
    all_bytes_.store(all_bytes() - bytes_[i], std::memory_order_relaxed);
    bytes_[i] = 0;
    return run;
  }

  std::array<uint32_t, kRuns> bytes_{};  // 0: none
  std::array<std::atomic<uintptr_t>, kRuns> addresses_{};
  std::atomic<size_t> all_bytes_{0};
  std::array<uint32_t, kRuns> missed_{};  // by the last request of such a length, in bytes
  uint32_t missed_again_ = 0;             // bit i: and by the one before it
  uint32_t misses_ = 0;                   // since one was taken, or the first one came
  uint8_t oldest_ = 0;  // the one that follows is: they come and go in turns, nearly
  bool is_used_ = false;
};

}  // namespace cma

#endif  // CMA_CACHE_SPARE_RUNS_H_
