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

enum class ScenarioKind {
  kLoad,     // operations per second at a number of threads, and memory
  kLatency,  // durations of single calls at a number of threads
  kProgram,  // a program of other people's: wall time and memory
};

struct Scenario {
  absl::string_view name;
  absl::string_view program;
  absl::string_view arguments;  // with spaces between them
  uint64_t operations;          // about a second's work; 0: it has a length of its own
  int fewest_threads;
  absl::string_view what;
  ScenarioKind kind = ScenarioKind::kLoad;
  absl::string_view needs = {};  // programs that must be installed, with spaces between them
};

std::span<const Scenario> Scenarios();

// The first of the programs that the scenario needs and that is not there; empty if all are.
std::string MissingProgram(const Scenario& scenario);

// Those that are asked for; if `wanted` is empty all for which the programs are there. NotFound,
// with a message for the user, if a name is unknown or its program is missing.
absl::StatusOr<std::vector<Scenario>> ChooseScenarios(const std::vector<std::string>& wanted);

// The directory with the scenarios' programs and run_measured: `given`, or what belongs to this
// tool. NotFound, with a message for the user, if they are not there.
absl::StatusOr<std::string> FindBenchDirectory(const std::string& given);

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_SCENARIOS_H_
