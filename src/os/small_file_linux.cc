#include <fcntl.h>
#include <sys/syscall.h>

#include "os/small_file.h"
#include "os/syscall.h"

namespace cma {

size_t ReadSmallFile(const char* path, char* buffer, size_t capacity) {
  buffer[0] = '\0';
  const long fd =
      RawSyscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const long n =
      RawSyscall(SYS_read, fd, reinterpret_cast<long>(buffer), static_cast<long>(capacity - 1));
  RawSyscall(SYS_close, fd);
  const size_t length = n > 0 ? static_cast<size_t>(n) : 0;
  buffer[length] = '\0';
  return length;
}

long ParseNumber(const char** text) {
  const char* p = *text;
  while (*p == ' ') ++p;
  if (*p < '0' || *p > '9') return -1;
  long value = 0;
  for (; *p >= '0' && *p <= '9'; ++p) {
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, *p - '0', &value)) {
      return -1;
    }
  }
  *text = p;
  return value;
}

}  // namespace cma
