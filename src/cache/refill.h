// Where a list that has run empty gets blocks from, and which arena a thread works with.
//
// For the cache's owner, in a slow path; not thread-safe. Arenas are locked one at a time, for one
// batch.
#ifndef CMA_CACHE_REFILL_H_
#define CMA_CACHE_REFILL_H_

#include <cstddef>

#include "cache/thread_cache.h"

namespace cma {

// Moves the cache to another arena once its thread has stayed on that arena's CPU for a while and met
// other threads in its own. A thread that has its arena for itself stays, wherever it runs.
void FollowCpu(ThreadCache* cache);

// Fills the empty list of the class, to half its capacity if there are so many blocks; the class. Or
// another one that is a little wider and in use, for a block larger than a page: its list has blocks
// then. 0 if there is no memory for blocks, or for the list's array.
SizeClass FillList(ThreadCache* cache, SizeClass c);

// For a thread whose cache is gone: a block straight from an arena.
std::byte* TakeUncached(SizeClass c);

}  // namespace cma

#endif  // CMA_CACHE_REFILL_H_
