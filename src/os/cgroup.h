// What the process's control groups grant it, and what the machine has. Nothing here allocates;
// errno is kept. Thread-safe.
#ifndef CMA_OS_CGROUP_H_
#define CMA_OS_CGROUP_H_

#include <cstddef>

namespace cma {

// Where the kernel tells; another place only in tests.
struct CgroupFiles {
  const char* membership = "/proc/self/cgroup";
  const char* root = "/sys/fs/cgroup";
};

// CPUs' worth of time that the cgroup's cpu quota (v2 cpu.max, v1 cfs_quota) grants, rounded
// up; 0 if there is no quota.
size_t OsCgroupCpuQuota(const CgroupFiles& files = {});

// Bytes that the tightest memory limit grants, of the process's own group and those around it as
// far as they can be seen (v2 memory.max and memory.high, v1 memory.limit_in_bytes); 0 if there is
// no limit.
size_t OsCgroupMemoryLimit(const CgroupFiles& files = {});

// Bytes of memory of the machine; 0 if it is not known.
size_t OsMachineMemory();

// Bytes that the process may use: the cgroup's limit or the machine's memory, whichever is less; 0
// if neither is known.
size_t OsUsableMemory();

}  // namespace cma

#endif  // CMA_OS_CGROUP_H_
