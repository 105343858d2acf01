// What happens to the heap around fork(2).
//
// Before: the forking thread takes every lock in order, so that no other thread is inside the
// heap. After: the parent releases them; the child, where no other thread exists, forgets their
// holders, gives the blocks of the lost threads' caches back, and starts its own background
// thread when it needs one.
#ifndef CMA_CACHE_FORK_H_
#define CMA_CACHE_FORK_H_

namespace cma {

// Call once, with no lock held: the C library may allocate.
void RegisterForkHandlers();

}  // namespace cma

#endif  // CMA_CACHE_FORK_H_
