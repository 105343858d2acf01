// Waiting for something that happens by itself: polls until it is true or the time is up.
#ifndef CMA_TESTS_SUPPORT_DEADLINE_H_
#define CMA_TESTS_SUPPORT_DEADLINE_H_

#include <time.h>

#include <chrono>

namespace cma_test {

template <typename Condition>
bool WaitUntil(Condition condition, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (condition()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    const timespec step = {0, 1'000'000};
    nanosleep(&step, nullptr);
  }
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_DEADLINE_H_
