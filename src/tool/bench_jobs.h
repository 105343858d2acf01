// What `cma bench` has to run: the scenarios at each number of threads, or the user's program.
#ifndef CMA_TOOL_BENCH_JOBS_H_
#define CMA_TOOL_BENCH_JOBS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tool/bench_request.h"

namespace cma::tool {

// One program to be run at one number of threads.
struct BenchJob {
  std::string name;
  int threads = 0;                   // 0: the program's own affair
  std::vector<size_t> figures = {};  // of kFigures, the one that decides first
  std::vector<std::string> command = {};
  std::string what = {};        // one line on it
  bool reports_itself = false;  // it prints figures, and takes --rest-seconds
};

// `directory`: where the scenarios' programs are. NotFound or InvalidArgument, with a message for
// the user, if there is nothing to run or the program would not take an allocator.
absl::StatusOr<std::vector<BenchJob>> MakeBenchJobs(const BenchRequest& request,
                                                    const std::string& directory);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_JOBS_H_
