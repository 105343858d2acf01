// One function per form of the statistics.
#ifndef CMA_STATS_FORMATS_H_
#define CMA_STATS_FORMATS_H_

#include "stats/snapshot.h"
#include "stats/stats.h"

namespace cma {

void WriteText(const Snapshot& snapshot, const Sink& sink);
void WriteJson(const Snapshot& snapshot, const Sink& sink);
void WritePrometheus(const Snapshot& snapshot, const Sink& sink);

// Names of the entries of ClassFigures::slabs_by_fullness.
inline constexpr const char* kFullnessNames[ArenaClassStats::kFullnesses] = {
    "0-25%", "25-50%", "50-75%", "75-100%", "full"};

}  // namespace cma

#endif  // CMA_STATS_FORMATS_H_
