// Counters that several threads change.
#ifndef CMA_BASE_COUNTERS_H_
#define CMA_BASE_COUNTERS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace cma {

// Less by `bytes`, but not below zero; what it is then. A fork's child may have dropped what the
// forking thread, below a signal handler, still had in hand.
inline size_t Subtract(std::atomic<size_t>& counter, size_t bytes) {
  size_t before = counter.load(std::memory_order_relaxed);
  while (!counter.compare_exchange_weak(before, before - std::min(before, bytes),
                                        std::memory_order_relaxed)) {
  }
  return before - std::min(before, bytes);
}

}  // namespace cma

#endif  // CMA_BASE_COUNTERS_H_
