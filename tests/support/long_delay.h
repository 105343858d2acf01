// Include it in a test of what is free: that stays until the test asks for it, however long it
// pauses. With the default of release_delay_ms a pause of a quarter of a second is enough for the
// background thread to return it first.
#ifndef CMA_TESTS_SUPPORT_LONG_DELAY_H_
#define CMA_TESTS_SUPPORT_LONG_DELAY_H_

#include <stdlib.h>

namespace cma_test {

// Before the first allocation: a change of an option later on wakes the thread for a round.
inline const bool g_has_long_delay = setenv("CMA_OPTIONS", "release_delay_ms=1h", 1) == 0;

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_LONG_DELAY_H_
