// Byte units and rounding. No state, no dependencies.
#ifndef CMA_BASE_UNITS_H_
#define CMA_BASE_UNITS_H_

#include <cstddef>
#include <cstdint>

namespace cma {

inline constexpr size_t kKiB = size_t{1} << 10;
inline constexpr size_t kMiB = size_t{1} << 20;
inline constexpr size_t kGiB = size_t{1} << 30;

// (std::has_single_bit() is a call where the CPU need not be able to count bits.)
constexpr bool IsPowerOfTwo(size_t n) { return n != 0 && (n & (n - 1)) == 0; }

// REQUIRES: alignment is a power of two; the result does not overflow.
constexpr size_t RoundUp(size_t n, size_t alignment) {
  return (n + alignment - 1) & ~(alignment - 1);
}
constexpr size_t RoundDown(size_t n, size_t alignment) { return n & ~(alignment - 1); }

inline uintptr_t AddressOf(const void* p) { return reinterpret_cast<uintptr_t>(p); }

// Milliseconds of the monotonic clock.
using Milliseconds = uint64_t;

// Whether what was put away at `since` has waited for `age` ms. `now` may have been read before.
constexpr bool HasAged(Milliseconds since, Milliseconds now, Milliseconds age) {
  return age == 0 || (now >= since && now - since >= age);
}

// Number of an arena, dense from 0. Its own type, so that no size passes for it.
enum class ArenaId : uint16_t {};
inline constexpr size_t kMaxArenas = 512;
// From so many CPUs on there is an arena more than CPUs. Simulated large blocks and false sharing
// have 1.02 to 1.08 times as many operations on 16 and 64 cores, where the main thread has an arena
// and waits. On two CPUs slot_churn/8 peaks at 1.3 with it; not varied otherwise.
inline constexpr size_t kManyCpus = 8;
// How many there are for the CPUs that a process may really use.
constexpr size_t ArenasFor(size_t cpus) {
  const size_t wanted = cpus >= kManyCpus ? cpus + 1 : cpus;
  if (wanted == 0) return 1;
  return wanted < kMaxArenas ? wanted : kMaxArenas;
}

// The heaps that a program makes have arenas of their own, numbered from kMaxArenas on.
inline constexpr size_t kMaxUserHeaps = 4096;
constexpr bool IsUserHeap(uint16_t arena) {
  return arena >= kMaxArenas && arena < kMaxArenas + kMaxUserHeaps;
}

}  // namespace cma

#endif  // CMA_BASE_UNITS_H_
