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

// Fills ranks[cpu] with a dense number for each CPU of the process's affinity mask and returns how
// many CPUs there are, at least 1. The other CPUs, where threads may come if the mask is widened
// later, are spread over the same numbers. Never allocates.
size_t OsAllowedCpus(uint16_t (&ranks)[kMaxCpus]);

}  // namespace cma

#endif  // CMA_OS_OS_CPU_H_
