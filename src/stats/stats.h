// Where the heap's memory is.
#ifndef CMA_STATS_STATS_H_
#define CMA_STATS_STATS_H_

#include "cma/cma.h"

namespace cma {

// Fills *stats; see cma.h for what each figure means. Takes each lock in turn, never allocates.
void CollectStats(cma_stats* stats);

// The same as text for people.
void PrintStats(int fd);

}  // namespace cma

#endif  // CMA_STATS_STATS_H_
