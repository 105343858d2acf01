#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "os/os_output.h"
#include "os/syscall.h"

namespace cma {
namespace {

constexpr int kStderr = 2;

// Above the numbers that programs expect to be free, and those that shells use.
constexpr int kLowestKept = 100;

enum class Kept : uint8_t { kNothing, kNotYet, kErrors };

// What is below is written by who moves this on from kNothing, and read at kErrors.
constinit std::atomic<Kept> g_kept{Kept::kNothing};
constinit int g_errors = -1;
constinit dev_t g_errors_device = 0;
constinit ino_t g_errors_inode = 0;

bool StatOf(int fd, struct stat* status) {
  *status = {};
  return RawSyscall(SYS_fstat, fd, reinterpret_cast<long>(status)) == 0;
}

bool IsErrors(int fd) {
  struct stat status;
  return StatOf(fd, &status) && status.st_dev == g_errors_device && status.st_ino == g_errors_inode;
}

}  // namespace

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

void OsKeepErrors() {
  Kept none = Kept::kNothing;
  if (!g_kept.compare_exchange_strong(none, Kept::kNotYet, std::memory_order_relaxed)) return;
  struct stat status;
  if (!StatOf(kStderr, &status)) return;
  g_errors_device = status.st_dev;
  g_errors_inode = status.st_ino;
  // Refused under a small `ulimit -n`: then there is the program's own, as long as that is the
  // same.
  g_errors = static_cast<int>(RawSyscall(SYS_fcntl, kStderr, F_DUPFD_CLOEXEC, kLowestKept));
  // Release pairs with the acquire in OsKeptErrors().
  g_kept.store(Kept::kErrors, std::memory_order_release);
}

int OsKeptErrors() {
  if (g_kept.load(std::memory_order_acquire) != Kept::kErrors) return -1;
  if (IsErrors(g_errors)) return g_errors;
  return IsErrors(kStderr) ? kStderr : -1;
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
