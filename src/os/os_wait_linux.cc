#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "os/os_wait.h"
#include "os/syscall.h"

namespace cma {
namespace {

long Futex(std::atomic<uint32_t>& word, int operation, uint32_t value, const timespec* timeout) {
  return RawSyscall(SYS_futex, reinterpret_cast<long>(&word), operation | FUTEX_PRIVATE_FLAG,
                    static_cast<long>(value), reinterpret_cast<long>(timeout));
}

// Bytes of the helper thread's stack: its deepest call chain needs under 4 KiB. The C library puts
// the program's thread-local variables there as well; where they do not fit it wants more, up to so
// much.
constexpr size_t kStackBytes = 64 * kKiB;
constexpr size_t kMostStackBytes = 64 * kMiB;

}  // namespace

void OsWait(std::atomic<uint32_t>& word, uint32_t expected) {
  Futex(word, FUTEX_WAIT, expected, nullptr);
}

void OsWaitFor(std::atomic<uint32_t>& word, uint32_t expected, Milliseconds timeout) {
  const timespec ts = {static_cast<time_t>(timeout / 1000),
                       static_cast<long>(timeout % 1000) * 1000000};
  Futex(word, FUTEX_WAIT, expected, &ts);
}

void OsSleep(uint32_t microseconds) {
  const timespec time = {static_cast<time_t>(microseconds / 1'000'000),
                         static_cast<long>(microseconds % 1'000'000) * 1000};
  RawSyscall(SYS_nanosleep, reinterpret_cast<long>(&time), 0);
}

void OsWake(std::atomic<uint32_t>& word, int count) {
  Futex(word, FUTEX_WAKE, static_cast<uint32_t>(count), nullptr);
}

bool OsStartThread(void* (*body)(void*), void* argument, pthread_t* handle) {
  const int saved = errno;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    error = EINVAL;
    for (size_t bytes = kStackBytes; error == EINVAL && bytes <= kMostStackBytes; bytes *= 4) {
      pthread_attr_setstacksize(&attributes, bytes);
      error = pthread_create(handle, &attributes, body, argument);
    }
    pthread_attr_destroy(&attributes);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = saved;
  return error == 0;
}

void OsJoinThread(pthread_t handle) {
  const int saved = errno;
  pthread_join(handle, nullptr);
  errno = saved;
}

void OsDetachThread(pthread_t handle) {
  const int saved = errno;
  pthread_detach(handle);
  errno = saved;
}

}  // namespace cma
