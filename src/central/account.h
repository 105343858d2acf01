// What a heap of the program's making has lent, in usable bytes, against its limit.
//
// Two parts: blocks of the heap's arena, which come and go under that arena's lock, and huge ones,
// which HugeBlocks refunds whenever they are freed. Bytes are charged before a block is taken, or
// within the same hold of the lock, and refunded after it was given back.
//
// Locking:   the caller holds the lock of the heap's arena, unless it says otherwise. Figures are
//            atomics for those who only read.
// Invariant: lent() + huge() <= limit(), for whoever holds that lock: without it, huge() can only
//            become less.
#ifndef CMA_CENTRAL_ACCOUNT_H_
#define CMA_CENTRAL_ACCOUNT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace cma {

class Account {
 public:
  static constexpr size_t kNoLimit = SIZE_MAX;

  constexpr Account() = default;

  // Starts anew, with nothing charged.
  void Open(size_t limit);

  // Whether the limit allows so many more bytes.
  bool Allows(size_t bytes) const { return bytes <= limit() - live(); }
  // For blocks of the arena. False if that would be more than the limit.
  [[nodiscard]] bool Charge(size_t bytes) {
    if (!Allows(bytes)) return false;
    lent_.store(lent() + bytes, std::memory_order_relaxed);
    NotePeak();
    return true;
  }
  void Refund(size_t bytes) { lent_.store(lent() - bytes, std::memory_order_relaxed); }

  // For huge blocks. They count for the peak when they are there.
  [[nodiscard]] bool ChargeHuge(size_t bytes) {
    if (!Allows(bytes)) return false;
    huge_.fetch_add(bytes, std::memory_order_relaxed);
    return true;
  }
  void NotePeak() {
    if (live() > peak()) peak_.store(live(), std::memory_order_relaxed);
  }
  // The limit was why a caller got nothing.
  void NoteRefusal() { refusals_.store(refusals() + 1, std::memory_order_relaxed); }
  // Needs no lock.
  void RefundHuge(size_t bytes) { huge_.fetch_sub(bytes, std::memory_order_relaxed); }

  // These need no lock; without it each is a moment's truth.
  size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  size_t lent() const { return lent_.load(std::memory_order_relaxed); }
  size_t huge() const { return huge_.load(std::memory_order_relaxed); }
  size_t live() const { return lent() + huge(); }
  size_t peak() const { return peak_.load(std::memory_order_relaxed); }
  size_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> limit_{kNoLimit};
  std::atomic<size_t> lent_{0};
  std::atomic<size_t> huge_{0};
  std::atomic<size_t> peak_{0};
  std::atomic<size_t> refusals_{0};
};

inline void Account::Open(size_t limit) {
  limit_.store(limit, std::memory_order_relaxed);
  for (std::atomic<size_t>* figure : {&lent_, &huge_, &peak_, &refusals_}) {
    figure->store(0, std::memory_order_relaxed);
  }
}

}  // namespace cma

#endif  // CMA_CENTRAL_ACCOUNT_H_
