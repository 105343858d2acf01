// Statistics in a format that the caller names; see cma_stats_write().
#ifndef CMA_FRONT_STATS_CALLS_H_
#define CMA_FRONT_STATS_CALLS_H_

#include <errno.h>

#include "stats/stats.h"

namespace cma {

inline bool IsFormat(cma_stats_format format) {
  static_assert(static_cast<int>(StatsFormat::kText) == CMA_STATS_TEXT &&
                static_cast<int>(StatsFormat::kPrometheus) == CMA_STATS_PROMETHEUS);
  if (format >= CMA_STATS_TEXT && format <= CMA_STATS_PROMETHEUS) return true;
  errno = EINVAL;
  return false;
}

// Both return 0, or -1 with errno set: to EINVAL, or what write(2) has set it to.
inline int WriteStatsAs(cma_stats_format format, const Sink& sink) {
  if (!IsFormat(format)) return -1;
  WriteStats(static_cast<StatsFormat>(format), sink);
  return 0;
}

inline int PrintStatsAs(int fd, cma_stats_format format) {
  if (!IsFormat(format)) return -1;
  const int error = PrintStats(fd, static_cast<StatsFormat>(format));
  if (error == 0) return 0;
  errno = error;
  return -1;
}

}  // namespace cma

#endif  // CMA_FRONT_STATS_CALLS_H_
