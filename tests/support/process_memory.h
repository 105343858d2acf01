// What the kernel says of this process's memory. Nothing here allocates, so that the figures are
// not of the test's own making.
#ifndef CMA_TESTS_SUPPORT_PROCESS_MEMORY_H_
#define CMA_TESTS_SUPPORT_PROCESS_MEMORY_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

namespace cma_test {

// One figure of /proc/self/statm in bytes: 0 is the address space, 1 the resident set.
inline size_t StatmBytes(int field) {
  char text[128] = {};
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (length <= 0) return 0;
  const char* at = text;
  for (int i = 0; i < field; ++i) {
    while (*at >= '0' && *at <= '9') ++at;
    while (*at == ' ') ++at;
  }
  size_t pages = 0;
  while (*at >= '0' && *at <= '9') pages = pages * 10 + static_cast<size_t>(*at++ - '0');
  return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

inline size_t AddressSpaceBytes() { return StatmBytes(0); }

// The figure of a line "name: 123 kB" in bytes; 0 if there is none.
inline size_t BytesOfLine(const char* file, const char* name) {
  char text[4096] = {};
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  const char* line = length > 0 ? strstr(text, name) : nullptr;
  size_t kib = 0;
  return line != nullptr && sscanf(line + strlen(name), " %zu", &kib) == 1 ? kib * 1024 : 0;
}

// Counted page by page where the kernel does that: the figure of statm may be wrong by twice
// as many pages for each CPU as there are CPUs.
inline size_t ResidentBytes() {
  const size_t exact = BytesOfLine("/proc/self/smaps_rollup", "Rss:");
  return exact != 0 ? exact : StatmBytes(1);
}

// Mappings of the process: lines of /proc/self/maps.
inline size_t Mappings() {
  char text[4096];
  size_t lines = 0;
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  for (ssize_t length; fd >= 0 && (length = read(fd, text, sizeof(text))) > 0;) {
    for (ssize_t i = 0; i < length; ++i) lines += text[i] == '\n';
  }
  close(fd);
  return lines;
}

// What the whole machine can still give, in bytes; 0 if it does not say.
inline size_t AvailableBytes() { return BytesOfLine("/proc/meminfo", "MemAvailable:"); }

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_PROCESS_MEMORY_H_
