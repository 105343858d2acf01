// Hooks into the life of threads and of the process, and its size.
#ifndef CMA_OS_OS_PROCESS_H_
#define CMA_OS_OS_PROCESS_H_

#include <cstddef>

namespace cma {

// pthread_atfork(3). It may allocate: the caller holds no lock of cma. False if refused.
bool OsOnFork(void (*prepare)(), void (*parent)(), void (*child)());

// Chooses what is called with each thread's value when the thread ends. False if refused. Call
// once; it does not allocate.
bool OsOnThreadExit(void (*destructor)(void*));

// Sets the calling thread's value, not null, for the function above. It may allocate. errno kept.
void OsSetThreadValue(void* value);

// Whether the calling thread is the one that the process, or a fork's child, began with.
bool OsIsMainThread();

// Bytes of the process that are in memory (RSS), 0 if the kernel does not tell. errno kept.
size_t OsResidentBytes();

}  // namespace cma

#endif  // CMA_OS_OS_PROCESS_H_
