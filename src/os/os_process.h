// Hooks into the life of threads and of the process.
#ifndef CMA_OS_OS_PROCESS_H_
#define CMA_OS_OS_PROCESS_H_

namespace cma {

// pthread_atfork(3). It may allocate: the caller holds no lock of cma. False if refused.
bool OsOnFork(void (*prepare)(), void (*parent)(), void (*child)());

// Chooses what is called with each thread's value when the thread ends. False if refused. Call
// once; it does not allocate.
bool OsOnThreadExit(void (*destructor)(void*));

// Sets the calling thread's value, not null, for the function above. It may allocate. errno kept.
void OsSetThreadValue(void* value);

}  // namespace cma

#endif  // CMA_OS_OS_PROCESS_H_
