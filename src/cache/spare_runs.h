// Large runs that a thread has freed and may want again: buffers that are allocated, used and freed
// time and again need no lock, and are not merged only to be cut out again.
//
// They wait by length, in classes of which there are 16 per doubling; a request takes one of its
// own class that is long enough, or of the next ones. (A run is cut as long as was asked for, so
// this is where a block may be longer: by up to a half, and above 160 KiB by five sixteenths.
// What waits holds memory anyway.)
//
// Owner:     its cache's thread; not thread-safe. But for StealAll(): the holder of the registry's
//            lock may take runs that wait for a thread which does not come. Either gets a run by an
//            exchange of its address, so only one does. Other threads may ask what is there, and
//            get a moment's truth.
// Invariant: every run is in use by its tags, belongs to an arena that threads work with, and
//            carries the free key in its second word.
#ifndef CMA_CACHE_SPARE_RUNS_H_
#define CMA_CACHE_SPARE_RUNS_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/constants.h"

namespace cma {

class SpareRuns {
 public:
  // Bytes of a run that may wait: all large ones, as they are cut.
  static constexpr size_t kMostBytes = kLargeMax + kSlotBytes;
  // Of all of them: what each thread may keep, and what it may with a part of the budget of all
  // caches, which it claims in steps; more than kAllBytes where its arena has lent much, up to what
  // its share of the default budget allows.
  static constexpr size_t kFreeBytes = 256 * kKiB;
  static constexpr size_t kAllBytes = 1280 * kKiB;
  static constexpr size_t kMostOfAll = 2304 * kKiB;
  static_assert(kMostBytes <= kAllBytes);
  static constexpr size_t kClaimBytes = 256 * kKiB;
  static_assert((kAllBytes - kFreeBytes) % kClaimBytes == 0);
  static_assert((kMostOfAll - kFreeBytes) % kClaimBytes == 0);

  static constexpr size_t kRuns = 48;

  constexpr SpareRuns() = default;

  // One of `bytes` or a little more, which is the caller's then; 0 if there is none.
  // REQUIRES (both): kMediumMax < bytes <= kLargeMax.
  [[nodiscard]] uintptr_t Take(size_t bytes) {
    const unsigned c = ClassOf(bytes);
    const uint64_t near = classes_ >> c & kNear;
    if ((near & 1) != 0) [[likely]] {
      if (const uintptr_t run = TakeIfFits(c, bytes, 1); run != 0) [[likely]]
        return run;
    }
    return near != 0 ? TakeNear(c, bytes, 1) : 0;
  }
  // The same, at a multiple of `alignment`, a power of two.
  [[nodiscard]] uintptr_t TakeAligned(size_t bytes, size_t alignment) {
    return TakeNear(ClassOf(bytes), bytes, alignment);
  }
  // After Take() had none.
  void NoteMissed(size_t bytes);

  // Whether one that is freed should wait: it would have served some of the last requests. Where
  // each is for another length the arena should have it at once, to merge. REQUIRES (these):
  // kMediumMax < bytes <= kMostBytes.
  bool IsWanted(size_t bytes) const {
    // A run may have been cut longer than was asked for.
    if (bytes > kShortBytes + kSlotBytes) return Serves(bytes, long_wanted_);
    return (wanted_ >> ClassOf(bytes) & 1) != 0;
  }
  bool HasRoomFor(size_t bytes) const { return bytes <= room_ && unused_ != kNone; }
  size_t room() const { return room_; }
  // REQUIRES: there is room.
  void Add(uintptr_t run, size_t bytes) {
    const unsigned c = ClassOf(bytes);
    Table& table = *table_.load(std::memory_order_relaxed);
    const unsigned i = unused_;
    unused_ = table.next[i];
    table.next[i] = table.heads[c];
    table.heads[c] = static_cast<uint8_t>(i);
    classes_ |= uint64_t{1} << c;
    room_ -= bytes;
    table.bytes[i].store(static_cast<uint32_t>(bytes), std::memory_order_relaxed);
    // Release pairs with the acquire in StealAll(): who takes it finds it as it was left.
    table.addresses[i].store(run, std::memory_order_release);
  }

  // Where they wait, once there is one: so many words.
  static constexpr size_t kTableWords = 96;
  bool is_open() const { return table_.load(std::memory_order_relaxed) != nullptr; }
  void Open(uintptr_t* memory);
  // What may wait beyond kFreeBytes.
  size_t claimed() const { return claimed_; }
  void Allow(size_t more) {
    claimed_ += more;
    room_ += more;
  }

  // One that has to go first; 0 if there is none.
  [[nodiscard]] uintptr_t TakeAny();
  // Takes all that wait for a thread that does not come, or that a fork has stopped anywhere. For
  // the holder of the registry's lock, and for who owns the cache.
  template <typename F>
  void StealAll(F give) {
    // Acquire pairs with the release in Open().
    Table* const table = table_.load(std::memory_order_acquire);
    for (size_t i = 0; table != nullptr && i < kRuns; ++i) {
      if (table->addresses[i].load(std::memory_order_relaxed) == 0) continue;
      const uintptr_t run = table->addresses[i].exchange(0, std::memory_order_acquire);
      if (run == 0) continue;
      give(run);
      were_stolen_.store(true, std::memory_order_relaxed);
    }
  }
  // Counts stolen ones no longer. REQUIRES: it is open.
  void DropStolen() {
    if (were_stolen_.load(std::memory_order_relaxed)) [[unlikely]]
      Relink();
  }
  // The same, and what was claimed is claimed no longer.
  void Forget();

  // Whether those that wait served none of the last requests, and should go.
  bool AreStale() const { return misses_ >= kMostMisses; }
  // Whether one was taken since the last time that this was asked.
  bool TestAndClearUsed() { return TestAndUpdate(taken_at_sweep_); }
  // For the holder of the registry's lock: marks them if there are any and none was taken since the
  // last call, or in any case.
  enum class Mark { kNone, kMarked, kUsed };
  Mark MarkIfUnused(bool in_any_case) {
    const bool used = TestAndUpdate(taken_at_round_);
    if (Count() == 0) return Mark::kNone;
    marked_ = marked_ || in_any_case || !used;
    return marked_ ? Mark::kMarked : Mark::kUsed;
  }
  bool TestAndClearMarked() { return std::exchange(marked_, false); }

  bool Holds(uintptr_t run) const {
    bool found = false;
    ForEach([&](size_t i, const Table& table) {
      found = found || table.addresses[i].load(std::memory_order_relaxed) == run;
    });
    return found;
  }
  // The same, for the owner, if it is of so many bytes.
  bool HoldsOf(uintptr_t run, size_t bytes) const {
    const unsigned c = ClassOf(bytes);
    if ((classes_ >> c & 1) == 0) return false;
    const Table& table = *table_.load(std::memory_order_relaxed);
    for (unsigned i = table.heads[c]; i != kNone; i = table.next[i]) {
      if (table.addresses[i].load(std::memory_order_relaxed) == run) return true;
    }
    return false;
  }
  size_t AllBytes() const {
    size_t bytes = 0;
    ForEach([&](size_t i, const Table& table) {
      if (table.addresses[i].load(std::memory_order_relaxed) == 0) return;
      bytes += table.bytes[i].load(std::memory_order_relaxed);
    });
    return bytes;
  }
  size_t Count() const {
    size_t count = 0;
    ForEach([&](size_t i, const Table& table) {
      count += table.addresses[i].load(std::memory_order_relaxed) != 0 ? 1 : 0;
    });
    return count;
  }

 private:
  static constexpr unsigned kPerDoubling = 16;
  static constexpr unsigned kClasses = 64;
  static constexpr uint64_t kNear = 0xfff;  // own class, and the next eleven
  static constexpr uint8_t kNone = 0xff;
  static constexpr uint32_t kMostMisses = 16;
  // Requests that found none, after which what was asked for before the last so many no longer
  // counts.
  static constexpr uint32_t kPeriod = 64;

  struct Table {
    std::atomic<uintptr_t> addresses[kRuns];  // 0: none, or it was stolen
    std::atomic<uint32_t> bytes[kRuns];
    uint8_t next[kRuns];      // in its class, or of those that are not used; kNone: the last one
    uint8_t heads[kClasses];  // kNone: there is none
  };
  static_assert(sizeof(Table) <= kTableWords * sizeof(uintptr_t));

  // The last one has all lengths above, too.
  static constexpr unsigned ClassOf(size_t bytes) {
    constexpr unsigned kLeast = std::bit_width(kMediumMax) - 1;
    constexpr unsigned kShift = std::bit_width(kPerDoubling) - 1;
    const unsigned log = 63 ^ static_cast<unsigned>(__builtin_clzl(bytes));
    const auto c =
        static_cast<unsigned>(bytes >> (log - kShift)) + (log - kLeast - 1) * kPerDoubling;
    return c < kClasses ? c : kClasses - 1;
  }
  // Runs up to here wait if their class was asked for twice of late; longer ones, of which few have
  // room, if the last two requests for such were for one length. Bytes. Chosen by large_churn/8
  // (the default blocks) and simulated large blocks: where lengths are random each that waits keeps
  // free runs apart.
  static constexpr size_t kShortBytes = 256 * kKiB;
  static constexpr size_t kNoBytes = size_t{1} << kAddressBits;  // no run is as long
  // Up to here a run may be taken that is longer by a half, from there by five sixteenths. Bytes.
  // Chosen by large_churn/1 of 16 to 116 KiB, and /2 of 160 to 256 KiB.
  static constexpr size_t kHalfLongerTo = 160 * kKiB;
  static constexpr bool Serves(size_t length, size_t bytes) {
    return length - bytes <=
           (bytes > kHalfLongerTo ? bytes / 4 + bytes / 16 : bytes / 2);  // not if shorter
  }

  uintptr_t TakeIfFits(unsigned c, size_t bytes, size_t alignment) {
    Table& table = *table_.load(std::memory_order_relaxed);
    const unsigned i = table.heads[c];
    const size_t length = table.bytes[i].load(std::memory_order_relaxed);
    if (!Serves(length, bytes)) return 0;
    if (table.addresses[i].load(std::memory_order_relaxed) & (alignment - 1)) return 0;
    const uintptr_t run = TakeHead(table, c, i, length);
    if (run == 0) [[unlikely]]
      return 0;  // stolen
    misses_ = 0;
    taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return run;
  }
  uintptr_t TakeHead(Table& table, unsigned c, unsigned i, size_t length) {
    const uintptr_t run = table.addresses[i].exchange(0, std::memory_order_relaxed);
    const uint8_t next = table.next[i];
    table.heads[c] = next;
    if (next == kNone) classes_ &= ~(uint64_t{1} << c);
    table.next[i] = unused_;
    unused_ = static_cast<uint8_t>(i);
    room_ += length;
    return run;
  }
  void Relink();
  uintptr_t TakeNear(unsigned c, size_t bytes, size_t alignment);
  bool TestAndUpdate(uint32_t& seen) {
    const uint32_t taken = taken_.load(std::memory_order_relaxed);
    const bool used = taken != seen;
    seen = taken;
    return used;
  }
  template <typename F>
  void ForEach(F f) const {
    // Acquire pairs with the release in Open().
    const Table* const table = table_.load(std::memory_order_acquire);
    for (size_t i = 0; table != nullptr && i < kRuns; ++i) f(i, *table);
  }

  uint64_t classes_ = 0;           // bit c: there is a head
  uint64_t wanted_ = 0;            // bit c: runs of the class are to wait, unless they are long
  size_t long_wanted_ = kNoBytes;  // those that serve so many bytes are, if they are long
  size_t room_ = 0;                // bytes; stolen ones still take theirs
  std::atomic<Table*> table_{nullptr};
  uint32_t misses_ = 0;  // in a row, while there was one that waited
  std::atomic<uint32_t> taken_{0};
  uint8_t unused_ = kNone;

  uint8_t turn_ = 0;  // class that TakeAny() went to last
  uint8_t misses_in_period_ = 0;
  uint64_t asked_ = 0;         // bit c: class c was missed, in this period
  uint64_t asked_again_ = 0;   // and twice
  uint64_t asked_before_ = 0;  // twice in the period before
  size_t last_long_ = 0;       // bytes of the last request for a long one
  size_t claimed_ = 0;
  uint32_t taken_at_sweep_ = 0;
  uint32_t taken_at_round_ = 0;  // this and the next: guarded by the registry's lock
  bool marked_ = false;
  std::atomic<bool> were_stolen_{false};
};

}  // namespace cma

#endif  // CMA_CACHE_SPARE_RUNS_H_
