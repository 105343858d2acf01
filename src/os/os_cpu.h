// Processors: which one runs this thread, which ones the process may use.
#ifndef CMA_OS_OS_CPU_H_
#define CMA_OS_OS_CPU_H_

#include <cstddef>
#include <cstdint>

namespace cma {

inline constexpr size_t kMaxCpus = 4096;

// Number of the CPU that runs the caller, a moment ago: from glibc's rseq area where it is
// registered, else sched_getcpu(). Always below kMaxCpus.
uint32_t OsCurrentCpu();

// Dense numbers for the CPUs that the process may use. Zero at first, and hardly written: most of
// it stays without memory.
class CpuRanks {
 public:
  // Numbers the CPUs of the process's affinity mask and returns how many there are, at least 1.
  // Later calls return the same. Never allocates.
  size_t Fill();

  // The number of one of them. Other CPUs, where threads may come if the mask is widened later,
  // have their own number: modulo anything they are spread. REQUIRES: cpu < kMaxCpus.
  size_t Of(uint32_t cpu) const { return places_[cpu] != 0 ? places_[cpu] - 1u : cpu; }

 private:
  uint16_t count_ = 0;
  uint16_t places_[kMaxCpus] = {};  // one more than the rank; 0: not of the mask
};

}  // namespace cma

#endif  // CMA_OS_OS_CPU_H_
