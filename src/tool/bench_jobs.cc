#include "tool/bench_jobs.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tool/bench_results.h"
#include "tool/bench_scenarios.h"
#include "tool/program_file.h"

namespace cma::tool {
namespace {

std::vector<int> DefaultThreads() {
  cpu_set_t mask;
  const int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
  std::vector<int> threads;
  for (int n = 1; n < 2 * cpus; n *= 2) threads.push_back(n);
  threads.push_back(2 * cpus);
  return threads;
}

std::vector<size_t> FiguresOf(ScenarioKind kind) {
  switch (kind) {
    case ScenarioKind::kLoad:
      return {kThroughput, kPeakRss, kRestRss};
    case ScenarioKind::kProgram:
      return {kSeconds, kCpuSeconds, kPeakRss, kRestRss};
    case ScenarioKind::kLatency:
      break;
  }
  std::vector<size_t> latencies;
  for (size_t figure = kFirstLatency; figure < kFigureCount; ++figure) latencies.push_back(figure);
  return latencies;
}

// `threads` 0: for a program that takes no such flag.
BenchJob ScenarioJob(const Scenario& scenario, int threads, const std::string& directory,
                     double seconds) {
  BenchJob job = {.name = std::string(scenario.name),
                  .threads = threads,
                  .figures = FiguresOf(scenario.kind),
                  .what = std::string(scenario.what),
                  .reports_itself = true};
  job.command = {absl::StrCat(directory, "/", scenario.program)};
  if (threads != 0) {
    job.command.push_back("--threads");
    job.command.push_back(absl::StrCat(threads));
  }
  for (const absl::string_view word : absl::StrSplit(scenario.arguments, ' ', absl::SkipEmpty())) {
    job.command.emplace_back(word);
  }
  if (scenario.operations != 0) {
    const double operations = static_cast<double>(scenario.operations) * seconds;
    job.command.push_back("--ops");
    job.command.push_back(
        absl::StrCat(std::max<int64_t>(static_cast<int64_t>(operations), std::max(threads, 1))));
  }
  return job;
}

absl::StatusOr<std::vector<BenchJob>> ScenarioJobs(const BenchRequest& request,
                                                   const std::string& directory) {
  const absl::StatusOr<std::vector<Scenario>> scenarios = ChooseScenarios(request.scenarios);
  if (!scenarios.ok()) return scenarios.status();
  const std::vector<int> counts = request.threads.empty() ? DefaultThreads() : request.threads;
  std::vector<BenchJob> jobs;
  for (const Scenario& scenario : *scenarios) {
    if (scenario.kind == ScenarioKind::kProgram) {
      jobs.push_back(ScenarioJob(scenario, 0, directory, request.seconds));
      continue;
    }
    for (const int threads : counts) {
      if (threads < scenario.fewest_threads) continue;
      jobs.push_back(ScenarioJob(scenario, threads, directory, request.seconds));
    }
  }
  if (jobs.empty()) {
    return absl::InvalidArgumentError("nothing to run: these scenarios need more threads");
  }
  return jobs;
}

absl::StatusOr<std::vector<BenchJob>> ProgramJob(const BenchRequest& request) {
  const absl::StatusOr<std::string> path = FindProgram(request.program[0]);
  if (!path.ok()) return path.status();
  if (const std::string obstacle = PreloadObstacle(*path); !obstacle.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", request.program[0], "' ", obstacle, "; it keeps its own malloc"));
  }
  BenchJob job = {
      .name = request.program[0], .figures = {kSeconds, kCpuSeconds, kPeakRss}, .command = {*path}};
  for (char* const* word = request.program + 1; *word != nullptr; ++word) {
    job.command.emplace_back(*word);
  }
  return std::vector<BenchJob>{job};
}

}  // namespace

absl::StatusOr<std::vector<BenchJob>> MakeBenchJobs(const BenchRequest& request,
                                                    const std::string& directory) {
  return request.program != nullptr ? ProgramJob(request) : ScenarioJobs(request, directory);
}

}  // namespace cma::tool
