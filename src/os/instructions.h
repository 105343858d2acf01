// A word of the hit path in the form that takes the fewest instructions of the processor.
#ifndef CMA_OS_INSTRUCTIONS_H_
#define CMA_OS_INSTRUCTIONS_H_

#include <atomic>
#include <cstdint>

namespace cma {

// A position in an array that one thread moves, and others may read: they get a moment's truth.
// Relaxed loads and stores are plain ones.
class Cursor {
 public:
  constexpr Cursor() = default;
  constexpr explicit Cursor(uintptr_t* at) : at_(at) {}

  operator uintptr_t*() const { return __atomic_load_n(&at_, __ATOMIC_RELAXED); }
  void operator=(uintptr_t* at) { __atomic_store_n(&at_, at, __ATOMIC_RELAXED); }

  // By one, in place: one instruction where the compiler, which has the value in a register
  // already, would take two. Not moved across other accesses to memory.
  void StepUp() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    asm volatile("addq %1, %0" : "+m"(at_) : "i"(sizeof(uintptr_t)) : "cc");
#else
    *this = *this + 1;
#endif
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void StepDown() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    asm volatile("subq %1, %0" : "+m"(at_) : "i"(sizeof(uintptr_t)) : "cc");
#else
    *this = *this - 1;
#endif
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

 private:
  uintptr_t* at_ = nullptr;
};

}  // namespace cma

#endif  // CMA_OS_INSTRUCTIONS_H_
