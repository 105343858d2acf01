// Puts the process's options back to what they were when it goes out of scope.
#ifndef CMA_TESTS_SUPPORT_SCOPED_OPTIONS_H_
#define CMA_TESTS_SUPPORT_SCOPED_OPTIONS_H_

#include "options/options.h"

namespace cma_test {

class ScopedOptions {
 public:
  ScopedOptions() = default;
  ~ScopedOptions() { cma::g_options = saved_; }
  ScopedOptions(const ScopedOptions&) = delete;
  ScopedOptions& operator=(const ScopedOptions&) = delete;

 private:
  const cma::Options saved_ = cma::g_options;
};

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_SCOPED_OPTIONS_H_
