// Where the heap's memory is.
#ifndef CMA_STATS_STATS_H_
#define CMA_STATS_STATS_H_

#include <cstddef>

#include "cma/cma.h"
#include "options/options.h"
#include "report/text.h"

namespace cma {

// Fills *stats; see cma.h for what each figure means. Takes each lock in turn, never allocates.
void CollectStats(cma_stats* stats);

// Where text goes, a piece at a time.
struct Sink {
  cma_write_function write;
  void* context;

  // Hands the text on and forgets it.
  void Take(Text& text) const {
    if (text.size() != 0) write(context, text.data(), text.size());
    text.Clear();
  }
};

// The statistics in one of the forms; nothing for kOff.
void WriteStats(StatsFormat format, const Sink& sink);

// The same to a descriptor; 0, or the error that ended it.
int PrintStats(int fd, StatsFormat format = StatsFormat::kText);

}  // namespace cma

#endif  // CMA_STATS_STATS_H_
