#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os_output.h"
#include "os/syscall.h"

namespace cma {

int OsWrite(int fd, const char* text, size_t length) {
  while (length > 0) {
    const long n =
        RawSyscall(SYS_write, fd, reinterpret_cast<long>(text), static_cast<long>(length));
    if (n == -EINTR) continue;
    if (n <= 0) return n == 0 ? EIO : static_cast<int>(-n);
    text += n;
    length -= static_cast<size_t>(n);
  }
  return 0;
}

void OsAbort() { abort(); }

const char* OsEnvironment(const char* name) {
  if (environ == nullptr || getauxval(AT_SECURE) != 0) return nullptr;
  const size_t length = strlen(name);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  }
  return nullptr;
}

}  // namespace cma
