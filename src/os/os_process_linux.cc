#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "os/os_memory.h"
#include "os/os_process.h"
#include "os/small_file.h"
#include "os/syscall.h"

namespace cma {
namespace {

pthread_key_t g_key;

}  // namespace

bool OsOnFork(void (*prepare)(), void (*parent)(), void (*child)()) {
  const int saved = errno;
  const bool registered = pthread_atfork(prepare, parent, child) == 0;
  errno = saved;
  return registered;
}

bool OsOnThreadExit(void (*destructor)(void*)) {
  return pthread_key_create(&g_key, destructor) == 0;
}

void OsSetThreadValue(void* value) {
  const int saved = errno;
  pthread_setspecific(g_key, value);
  errno = saved;
}

bool OsIsMainThread() { return RawSyscall(SYS_gettid) == RawSyscall(SYS_getpid); }

size_t OsResidentBytes() {
  char text[128];
  if (ReadSmallFile("/proc/self/statm", text, sizeof text) == 0) return 0;
  const char* p = text;
  ParseNumber(&p);  // pages of address space
  const long pages = ParseNumber(&p);
  return pages > 0 ? static_cast<size_t>(pages) * OsPageBytes() : 0;
}

}  // namespace cma
