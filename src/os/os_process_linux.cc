#include <errno.h>
#include <pthread.h>

#include "os/os_process.h"

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

}  // namespace cma
