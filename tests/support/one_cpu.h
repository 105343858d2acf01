// Binds a thread, and those it will start, to the CPU that it runs on.
#ifndef CMA_TESTS_SUPPORT_ONE_CPU_H_
#define CMA_TESTS_SUPPORT_ONE_CPU_H_

#include <gtest/gtest.h>
#include <sched.h>

namespace cma_test {

// A process that does this before its first allocation has one CPU as far as cma can see: all its
// threads use arena 0, however many arenas there are.
inline bool StayOnThisCpu() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(sched_getcpu(), &mask);
  return sched_setaffinity(0, sizeof mask, &mask) == 0;
}

// The same while it lives.
class OnOneCpu {
 public:
  OnOneCpu() {
    EXPECT_EQ(sched_getaffinity(0, sizeof all_, &all_), 0);
    EXPECT_TRUE(StayOnThisCpu());
  }
  ~OnOneCpu() { EXPECT_EQ(sched_setaffinity(0, sizeof all_, &all_), 0); }
  OnOneCpu(const OnOneCpu&) = delete;
  OnOneCpu& operator=(const OnOneCpu&) = delete;

 private:
  cpu_set_t all_;
};

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_ONE_CPU_H_
