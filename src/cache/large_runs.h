// Large runs: what becomes of those that are freed, and where one comes from if none waits. They wait
// with the thread (SpareRuns) if one like them was asked for, go home in the outbox if another arena
// owns them, or straight to their arena.
//
// For the cache's owner; not thread-safe. Arenas are locked one at a time.
#ifndef CMA_CACHE_LARGE_RUNS_H_
#define CMA_CACHE_LARGE_RUNS_H_

#include <cstddef>
#include <cstdint>

#include "arena/arena.h"
#include "cache/thread_cache.h"
#include "central/superblock.h"

namespace cma {

// Frees the run that starts at `pointer`. As a rule it is of the own arena, wanted, and has room to
// wait: nothing is called then. Reports one that is free already.
// REQUIRES: kMediumMax < its length, in granules, and that is at most SpareRuns::kMostBytes.
void FreeLarge(void* pointer, ThreadCache* cache, Superblock* superblock, uint32_t granules);

// Takes in what others have posted to the cache's arena; whether there were large runs, of which
// those that are wanted wait with the thread then.
bool FetchSpares(ThreadCache* cache);

// A run of the arena, as Arena::TakeRun(), of which none waits. Before the arena grows, those that
// wait with the thread go home, as they may be what is missing. `cache` may be null.
std::byte* TakeRunFor(ThreadCache* cache, Arena* arena, size_t bytes, size_t alignment,
                      ZeroPages* zero_pages);

}  // namespace cma

#endif  // CMA_CACHE_LARGE_RUNS_H_
