// The scenarios of bench/scenario that `cma bench` runs.
#ifndef CMA_TOOL_BENCH_SCENARIOS_H_
#define CMA_TOOL_BENCH_SCENARIOS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cma::tool {

struct Scenario {
  absl::string_view name;
  absl::string_view program;
  absl::string_view arguments;  // with spaces between them
  uint64_t operations;          // about a second's work; 0: it has a length of its own
  int fewest_threads;
  absl::string_view what;
};

std::span<const Scenario> Scenarios();

// Those that are asked for; all if `wanted` is empty. NotFound, with a message for the user, if one
// of the names is unknown.
absl::StatusOr<std::vector<Scenario>> ChooseScenarios(const std::vector<std::string>& wanted);

// The directory with the scenarios' programs and run_measured: `given`, or what belongs to this
// tool. NotFound, with a message for the user, if they are not there.
absl::StatusOr<std::string> FindBenchDirectory(const std::string& given);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_SCENARIOS_H_
