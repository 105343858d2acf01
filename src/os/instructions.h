// Words of the hit path in the form that takes the fewest instructions of the processor.
#ifndef CMA_OS_INSTRUCTIONS_H_
#define CMA_OS_INSTRUCTIONS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

// On x86-64 an instruction can work on memory in place and on an element of an array, which the
// compiler does not make of atomic accesses. ThreadSanitizer has to see them.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define CMA_ONE_INSTRUCTION 1
#else
#define CMA_ONE_INSTRUCTION 0
#endif

namespace cma {

// A position in an array that one thread moves, and others may read: they get a moment's truth.
// Relaxed loads and stores are plain ones.
class Cursor {
 public:
  constexpr Cursor() = default;
  constexpr explicit Cursor(uintptr_t* at) : at_(at) {}

  operator uintptr_t*() const { return __atomic_load_n(&at_, __ATOMIC_RELAXED); }
  void operator=(uintptr_t* at) { __atomic_store_n(&at_, at, __ATOMIC_RELAXED); }

  // Move cursor `i` of an array by one. Not moved across other accesses to memory.
  static void StepUp(Cursor* cursors, size_t i) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
#if CMA_ONE_INSTRUCTION
    asm volatile("addq $8, (%0,%1,8)" : : "r"(cursors), "r"(i) : "memory", "cc");
#else
    cursors[i] = cursors[i] + 1;
#endif
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // Returns `value`, which is so brought into the register that a function returns it in.
  static uintptr_t StepDown(Cursor* cursors, size_t i, uintptr_t value) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
#if CMA_ONE_INSTRUCTION
    asm volatile("subq $8, (%1,%2,8)" : "+a"(value) : "r"(cursors), "r"(i) : "memory", "cc");
#else
    cursors[i] = cursors[i] - 1;
#endif
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return value;
  }

 private:
  uintptr_t* at_ = nullptr;
};
static_assert(sizeof(Cursor) == 8);

// Asks for the line of memory before it is written to, for the writer alone: it comes over once, and
// not first as a copy. The compiler makes a plain prefetch of it, since processors for x86-64 without
// the instruction exist; to those it does nothing.
inline void PrefetchForWrite(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

// `factor` times what `*word` holds, loaded relaxed; modulo 2^32.
inline uint64_t TimesLoaded(uint32_t factor, const std::atomic<uint32_t>* word) {
#if CMA_ONE_INSTRUCTION
  uint64_t product = factor;  // the instruction clears the upper half
  asm("imull %1, %k0" : "+r"(product) : "m"(*word) : "cc");
  return product;
#else
  return factor * word->load(std::memory_order_relaxed);
#endif
}

}  // namespace cma

#endif  // CMA_OS_INSTRUCTIONS_H_
