#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
// Weak, so that the library does not come to need the dynamic linker, which defines them, by name.
#pragma weak __rseq_size
#pragma weak __rseq_offset
#endif

#include "os/os_cpu.h"

namespace cma {
uint32_t OsCurrentCpu() {
#if __has_include(<sys/rseq.h>)
  if (&__rseq_size != nullptr && __rseq_size != 0) {
    const auto* area = reinterpret_cast<const volatile struct rseq*>(
        static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset);
    const int32_t cpu = static_cast<int32_t>(area->cpu_id);
    if (cpu >= 0) [[likely]]
      return static_cast<uint32_t>(cpu) % kMaxCpus;
  }
#endif
  const int saved = errno;
  const int cpu = sched_getcpu();
  errno = saved;
  return cpu < 0 ? 0 : static_cast<uint32_t>(cpu) % kMaxCpus;
}

size_t CpuRanks::Fill() {
  if (count_ != 0) return count_;
  alignas(cpu_set_t) unsigned char mask[kMaxCpus / 8] = {};
  auto* const set = reinterpret_cast<cpu_set_t*>(mask);
  // Not sched_getaffinity(): in the C library it lies alone, and a page that is touched counts with
  // 15 around it.
  if (pthread_getaffinity_np(pthread_self(), sizeof mask, set) != 0) return 1;
  for (size_t cpu = 0; cpu < kMaxCpus; ++cpu) {
    if ((mask[cpu / 8] >> (cpu % 8)) & 1) places_[cpu] = ++count_;
  }
  return std::max<size_t>(count_, 1);
}

}  // namespace cma
