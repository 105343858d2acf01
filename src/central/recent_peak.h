// The most that a quantity has been of late: in the last one to two periods.
//
// Not thread-safe: guarded by its owner's lock.
#ifndef CMA_CENTRAL_RECENT_PEAK_H_
#define CMA_CENTRAL_RECENT_PEAK_H_

#include <algorithm>
#include <cstddef>

#include "base/units.h"

namespace cma {

class RecentPeak {
 public:
  void Note(size_t value) { this_period_ = std::max(this_period_, value); }
  // Begins a new period with the value if the last one is over.
  void Pass(Milliseconds now, Milliseconds period, size_t value) {
    if (!HasAged(since_, now, period)) return;
    last_period_ = HasAged(since_, now, 2 * period) ? value : this_period_;
    this_period_ = value;
    since_ = now;
  }
  size_t peak() const { return std::max(this_period_, last_period_); }

 private:
  Milliseconds since_ = 0;
  size_t this_period_ = 0;
  size_t last_period_ = 0;
};

}  // namespace cma

#endif  // CMA_CENTRAL_RECENT_PEAK_H_
