// Waiting, and the thread that cma itself may start. Thread-safe; errno is kept.
#ifndef CMA_OS_OS_WAIT_H_
#define CMA_OS_OS_WAIT_H_

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "base/units.h"

namespace cma {

// Sleeps until `word` is woken or no longer holds `expected`; may return early.
void OsWait(std::atomic<uint32_t>& word, uint32_t expected);

// The same, for at most `timeout` ms.
void OsWaitFor(std::atomic<uint32_t>& word, uint32_t expected, Milliseconds timeout);

// Sleeps for about so many microseconds; may return early.
void OsSleep(uint32_t microseconds);

// Wakes up to `count` sleepers of `word`.
void OsWake(std::atomic<uint32_t>& word, int count);

// Tells the processor that this is a spinning loop.
inline void OsPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield" ::: "memory");
#endif
}

// A number for the calling thread that no other living thread has, and that a forked child
// inherits (its kernel id would change).
inline uintptr_t OsThreadIdentity() {
  return reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
}

// Starts a thread with a small stack and all signals blocked; false if refused. It is to be joined
// or detached, with the handle, or lasts as long as the process. These allocate and free through
// the C library: the caller holds no lock of cma.
bool OsStartThread(void* (*body)(void*), void* argument, pthread_t* handle);
void OsJoinThread(pthread_t handle);
void OsDetachThread(pthread_t handle);

}  // namespace cma

#endif  // CMA_OS_OS_WAIT_H_
