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
inline size_t ResidentBytes() { return StatmBytes(1); }

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
inline size_t AvailableBytes() {
  char text[4096] = {};
  const int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  const char* line = length > 0 ? strstr(text, "MemAvailable:") : nullptr;
  size_t kib = 0;
  return line != nullptr && sscanf(line, "MemAvailable: %zu", &kib) == 1 ? kib * 1024 : 0;
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_PROCESS_MEMORY_H_
