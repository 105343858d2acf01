// Birth and death of thread caches.
#ifndef CMA_CACHE_CACHE_LIFECYCLE_H_
#define CMA_CACHE_CACHE_LIFECYCLE_H_

#include "cache/thread_cache.h"

namespace cma {

// The calling thread's cache, made if need be, and with the first one the heap itself. nullptr if
// there is no memory for it, in a hardened mode, if the thread is past the point where it could be
// cleaned up, or if it is one of many and has hardly allocated yet: such a thread works on the
// arenas directly.
ThreadCache* CurrentCache();

// Makes sure that the heap is set up: options, address map, arenas.
void EnsureHeap();

// Whether that has been done.
bool HeapIsReady();

// Gives every block of the cache back. REQUIRES: the caller owns the cache.
void EmptyCache(ThreadCache* cache);

// Takes the blocks of other arenas home if they are few; more stay with the cache.
// REQUIRES: the caller owns the cache.
void DeliverFew(ThreadCache* cache);

// EmptyCache(), and gives the cache itself back.
void DeleteCache(ThreadCache* cache);

// Gives back one cache that an ended thread has left, and nobody taken over in time, or an orphan
// (CacheRegistry::TakeMarked()), or the large runs that wait for a thread which has taken none of
// them for a while; false if there is neither, or if figures are being collected and the caller may
// not wait.
bool EmptyMarkedCache(bool may_wait);

// Ends the calling thread's cache, if it has one; its next allocation or free makes another.
void RetireCurrentCache();

}  // namespace cma

#endif  // CMA_CACHE_CACHE_LIFECYCLE_H_
