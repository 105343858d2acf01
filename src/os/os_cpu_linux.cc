#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
// Weak, so that the library does not come to need the dynamic linker, which defines them, by name.
#pragma weak __rseq_size
#pragma weak __rseq_offset
#endif

#include "os/os_cpu.h"
#include "os/syscall.h"

namespace cma {
namespace {

// Reads a small file into `buffer` as a string; its length, 0 if it cannot be read.
size_t ReadFile(const char* path, char* buffer, size_t capacity) {
  const long fd =
      RawSyscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const long n = RawSyscall(SYS_read, fd, reinterpret_cast<long>(buffer),
                            static_cast<long>(capacity - 1));
  RawSyscall(SYS_close, fd);
  const size_t length = n > 0 ? static_cast<size_t>(n) : 0;
  buffer[length] = '\0';
  return length;
}

// A decimal number at *text, which is moved behind it; -1 if there is none.
long ParseNumber(const char** text) {
  const char* p = *text;
  while (*p == ' ') ++p;
  if (*p < '0' || *p > '9') return -1;
  long value = 0;
  for (; *p >= '0' && *p <= '9'; ++p) value = value * 10 + (*p - '0');
  *text = p;
  return value;
}

// `prefix` + `directory` + `file` in `out`; false if it does not fit.
bool JoinPath(char* out, size_t capacity, const char* prefix, const char* directory,
              size_t directory_length, const char* file) {
  const size_t a = strlen(prefix);
  const size_t c = strlen(file);
  if (a + directory_length + c + 1 > capacity) return false;
  memcpy(out, prefix, a);
  memcpy(out + a, directory, directory_length);
  memcpy(out + a + directory_length, file, c + 1);
  return true;
}

size_t CpusFrom(long quota, long period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<size_t>((quota + period - 1) / period);
}

size_t Min(size_t a, size_t b) { return a == 0 ? b : (b == 0 || a < b ? a : b); }

// The tightest cpu.max from the process's own group up to the root of what it can see.
size_t QuotaV2(const char* group, size_t length) {
  size_t cpus = 0;
  for (;;) {
    char path[512];
    char text[64];
    if (JoinPath(path, sizeof path, "/sys/fs/cgroup", group, length, "/cpu.max") &&
        ReadFile(path, text, sizeof text) > 0) {
      const char* p = text;
      const long quota = ParseNumber(&p);
      cpus = Min(cpus, CpusFrom(quota, ParseNumber(&p)));
    }
    if (length == 0) return cpus;
    while (length > 0 && group[length - 1] != '/') --length;
    if (length > 0) --length;
  }
}

size_t QuotaV1() {
  char quota[32];
  char period[32];
  if (ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, sizeof quota) == 0) return 0;
  if (ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period) == 0) return 0;
  const char* q = quota;
  const char* p = period;
  const long quota_us = ParseNumber(&q);
  return CpusFrom(quota_us, ParseNumber(&p));
}

}  // namespace

uint32_t OsCurrentCpu() {
#if __has_include(<sys/rseq.h>)
  if (&__rseq_size != nullptr && __rseq_size != 0) {
    const auto* area = reinterpret_cast<const volatile struct rseq*>(
        static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset);
    const int32_t cpu = static_cast<int32_t>(area->cpu_id);
    if (cpu >= 0) [[likely]] return static_cast<uint32_t>(cpu) % kMaxCpus;
  }
#endif
  const int saved = errno;
  const int cpu = sched_getcpu();
  errno = saved;
  return cpu < 0 ? 0 : static_cast<uint32_t>(cpu) % kMaxCpus;
}

size_t OsAllowedCpus(uint16_t (&ranks)[kMaxCpus]) {
  alignas(cpu_set_t) unsigned char mask[kMaxCpus / 8] = {};
  memset(ranks, 0, sizeof ranks);
  const int saved = errno;
  const int result = sched_getaffinity(0, sizeof mask, reinterpret_cast<cpu_set_t*>(mask));
  errno = saved;
  if (result != 0) return 1;
  uint16_t count = 0;
  for (size_t cpu = 0; cpu < kMaxCpus; ++cpu) {
    if ((mask[cpu / 8] >> (cpu % 8)) & 1) ranks[cpu] = count++;
  }
  return count == 0 ? 1 : count;
}

size_t OsCgroupCpuQuota() {
  char text[1024];
  const size_t length = ReadFile("/proc/self/cgroup", text, sizeof text);
  for (size_t at = 0; at < length;) {
    const char* line = text + at;
    const char* end = static_cast<const char*>(memchr(line, '\n', length - at));
    const size_t n = end != nullptr ? static_cast<size_t>(end - line) : length - at;
    if (n > 3 && memcmp(line, "0::", 3) == 0) {
      const size_t group = n - 3 == 1 ? 0 : n - 3;  // the root group is "/"
      if (const size_t cpus = QuotaV2(line + 3, group); cpus != 0) return cpus;
    }
    at += n + 1;
  }
  return QuotaV1();
}

}  // namespace cma
