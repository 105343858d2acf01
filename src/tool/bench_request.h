// The command line of `cma bench`, taken apart.
#ifndef CMA_TOOL_BENCH_REQUEST_H_
#define CMA_TOOL_BENCH_REQUEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tool/command.h"

namespace cma::tool {

struct BenchRequest {
  std::vector<std::string> scenarios;   // names; empty: all
  std::vector<std::string> allocators;  // names or name=/path.so; empty: all that are found
  std::vector<int> threads;             // empty: 1, 2, 4 ... to twice the CPUs
  int repeat = 5;
  double seconds = 0.5;       // aimed length of a scenario's run
  double rest_seconds = 2;    // idle time before RSS at rest is read; 0: it is not
  double timeout_seconds = 300;
  std::string out;            // directory for results.csv, results.json, report.html; empty: none
  std::string bench_dir;      // where the scenarios are; empty: where they belong
  bool list = false;
  char* const* program = nullptr;  // after --: argv of the user's program, ends with a null pointer
};

// InvalidArgument, with a message for the user, if the command line is not of the form that
// `cma help bench` shows.
absl::StatusOr<BenchRequest> ParseBenchRequest(Arguments arguments);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_REQUEST_H_
