// Blocks without a thread's cache: for threads that have ended theirs, and for the hardened modes
// (zero_on_free, quarantine_kib), in which no thread has one. So every call takes the slow path,
// and the hit path knows nothing of all this. And blocks that no thread's cache holds: those of the
// heaps that the program makes, and runs that do not wait.
#ifndef CMA_CACHE_UNCACHED_H_
#define CMA_CACHE_UNCACHED_H_

#include <cstddef>
#include <cstdint>

#include "runs/boundary_tags.h"
#include "slabs/size_classes.h"

namespace cma {

// Whether the options ask for a hardened mode. Constant once the heap is set up.
bool IsHardened();

// Gives a small or medium block of arena `owner` back, by way of the quarantine if there is one.
// Reports a block that is in it already.
void FreeUncached(uintptr_t block, SizeClass c, uint16_t owner);

// Whether the block was one of a heap that the program has made; it is back there then.
bool GiveToUserHeap(uintptr_t block, size_t bytes, uint16_t owner);

// Gives a run in use back to its arena `owner`, or to the heap that the program has made.
void FreeUncachedRun(const Run& run, uint16_t owner);

// Zeroes a block on its way back, if the options ask for it.
void MaybeZero(void* block, size_t bytes);

// Gives all blocks in quarantine back: memory is short.
void EmptyQuarantine();

}  // namespace cma

#endif  // CMA_CACHE_UNCACHED_H_
