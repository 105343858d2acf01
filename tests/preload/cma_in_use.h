// Proof that the tests of a program with libcma.so preloaded run with cma. Include it once per
// program.
//
// Without a preload the tests that hold for every allocator run with the C library's, which shows
// that they ask for what others do too; the rest calls SKIP_WITHOUT_CMA().
#ifndef CMA_TESTS_PRELOAD_CMA_IN_USE_H_
#define CMA_TESTS_PRELOAD_CMA_IN_USE_H_

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <string>

#include "cma/cma.h"

namespace cma_test {

// A function of <cma/cma.h>, nullptr if cma is not in this process.
template <typename Function>
Function* FindCma(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

inline bool CmaIsInUse() { return FindCma<decltype(cma_version)>("cma_version") != nullptr; }

// cma's own figures. REQUIRES: CmaIsInUse().
inline cma_stats CmaStats() {
  cma_stats stats = {};
  FindCma<decltype(cma_get_stats)>("cma_get_stats")(&stats);
  return stats;
}

// The object file that a function of the program's comes from.
inline std::string FileOf(void* function) {
  Dl_info info = {};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "unknown";
}

class CmaInUse : public testing::Environment {
 public:
  void SetUp() override {
    const char* const preload = getenv("LD_PRELOAD");
    if (preload == nullptr || *preload == '\0') {
      printf("no preload: the C library's malloc is tested\n");
      return;
    }
    ASSERT_TRUE(CmaIsInUse()) << "LD_PRELOAD is " << preload << ", but cma_version is not there";
    EXPECT_NE(FileOf(dlsym(RTLD_DEFAULT, "malloc")).find("libcma"), std::string::npos)
        << "malloc comes from " << FileOf(dlsym(RTLD_DEFAULT, "malloc"));
  }
};

inline const testing::Environment* const kCmaInUse =
    testing::AddGlobalTestEnvironment(new CmaInUse);

}  // namespace cma_test

#define SKIP_WITHOUT_CMA() \
  if (!cma_test::CmaIsInUse()) GTEST_SKIP() << "a promise of cma's"

#endif  // CMA_TESTS_PRELOAD_CMA_IN_USE_H_
