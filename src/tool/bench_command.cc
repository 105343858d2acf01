#include "tool/bench_command.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tool/bench_allocators.h"
#include "tool/bench_report.h"
#include "tool/bench_request.h"
#include "tool/bench_results.h"
#include "tool/bench_scenarios.h"
#include "tool/exit_status.h"
#include "tool/measured_run.h"
#include "tool/program_file.h"

namespace cma::tool {
namespace {

// Of a cell's runs so many also rest, as that takes longer than they do.
constexpr int kRestingRuns = 1;


std::string Help() {
  return "usage: cma bench [FLAGS]                       runs scenarios\n"
         "       cma bench [FLAGS] -- PROGRAM ARGS...    runs a program of yours\n"
         "\n"
         "Runs the same programs under several allocators, in turn (A B C A B C ...), and prints\n"
         "medians: operations per second, peak RSS, and RSS at rest; of your program wall time,\n"
         "processor time and peak RSS. What your program prints is dropped, its input is empty.\n"
         "\n"
         "  --scenario NAMES      scenarios, with commas between them (default: all)\n"
         "  --threads NUMBERS     numbers of threads (default: 1,2,4... to twice the CPUs)\n"
         "  --allocators NAMES    cma, glibc, jemalloc, tcmalloc, mimalloc, tbbmalloc, and any\n"
         "                        other as name=/path.so (default: all that are found)\n"
         "  --repeat N            runs of each program under each allocator (default 5)\n"
         "  --seconds S           aimed length of a scenario's run (default 0.5); the work is fixed\n"
         "                        by it, so that all allocators do the same\n"
         "  --rest-seconds S      idle time before RSS at rest is read, in the first of the runs\n"
         "                        (default 2; 0: it is not read)\n"
         "  --timeout S           ends a run that takes longer (default 300)\n"
         "  --out DIR             also writes results.csv, results.json and report.html there\n"
         "  --bench-dir DIR       where the scenarios' programs are (default: beside this tool)\n"
         "  --list                lists scenarios and allocators, runs nothing\n"
         "\n"
         "Runs during which other processes kept the machine busy are marked, and left out of the\n"
         "medians. Ctrl-C ends the measuring; what is done by then is printed and written.\n"
         "\n"
         "Exit status: 0; 1 if a run failed or --out cannot be written, 2 for a wrong command line,\n"
         "130 after Ctrl-C.\n";
}

// One program to be run at one number of threads.
struct Job {
  std::string name;
  int threads = 0;                   // 0: a program of the user's
  std::vector<std::string> command;
  bool can_rest = false;
};

std::vector<int> DefaultThreads() {
  cpu_set_t mask;
  const int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
  std::vector<int> threads;
  for (int n = 1; n < 2 * cpus; n *= 2) threads.push_back(n);
  threads.push_back(2 * cpus);
  return threads;
}

Job ScenarioJob(const Scenario& scenario, int threads, const std::string& directory,
                double seconds) {
  Job job = {std::string(scenario.name), threads, {}, true};
  job.command = {absl::StrCat(directory, "/", scenario.program), "--threads",
                 absl::StrCat(threads)};
  for (const absl::string_view word : absl::StrSplit(scenario.arguments, ' ', absl::SkipEmpty())) {
    job.command.emplace_back(word);
  }
  if (scenario.operations != 0) {
    const double operations = static_cast<double>(scenario.operations) * seconds;
    job.command.push_back("--ops");
    job.command.push_back(absl::StrCat(std::max<int64_t>(static_cast<int64_t>(operations), threads)));
  }
  return job;
}

absl::StatusOr<std::vector<Job>> ScenarioJobs(const BenchRequest& request,
                                              const std::string& directory) {
  const absl::StatusOr<std::vector<Scenario>> scenarios = ChooseScenarios(request.scenarios);
  if (!scenarios.ok()) return scenarios.status();
  const std::vector<int> counts = request.threads.empty() ? DefaultThreads() : request.threads;
  std::vector<Job> jobs;
  for (const Scenario& scenario : *scenarios) {
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

absl::StatusOr<std::vector<Job>> ProgramJob(const BenchRequest& request) {
  const absl::StatusOr<std::string> path = FindProgram(request.program[0]);
  if (!path.ok()) return path.status();
  if (const std::string obstacle = PreloadObstacle(*path); !obstacle.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", request.program[0], "' ", obstacle, "; it keeps its own malloc"));
  }
  Job job = {request.program[0], 0, {*path}, false};
  for (char* const* word = request.program + 1; *word != nullptr; ++word) {
    job.command.emplace_back(*word);
  }
  return std::vector<Job>{job};
}

BenchSample ToSample(const Job& job, const absl::StatusOr<MeasuredRun>& run) {
  BenchSample sample;
  if (!run.ok()) {
    sample.error = std::string(run.status().message());
    return sample;
  }
  sample.disturbed = run->disturbed;
  sample.values[kCpuSeconds] = run->cpu_seconds;
  if (job.threads == 0) {
    sample.values[kSeconds] = run->seconds;
    sample.values[kPeakRss] = run->peak_rss_kib;
    return sample;
  }
  const auto figure = [&run](absl::string_view key) -> std::optional<double> {
    const auto found = run->figures.find(key);
    if (found == run->figures.end()) return std::nullopt;
    return found->second;
  };
  sample.values[kThroughput] = figure("ops_per_second");
  sample.values[kSeconds] = figure("seconds");
  sample.values[kPeakRss] = figure("peak_rss_kib");  // without what the harness did before
  sample.values[kRestRss] = figure("rss_rest_kib");
  if (!sample.values[kThroughput].has_value()) sample.error = "it printed no ops_per_second";
  return sample;
}

class Bench {
 public:
  Bench(const BenchRequest& request, std::vector<Job> jobs, std::string launcher,
        std::vector<BenchAllocator> allocators)
      : request_(request), jobs_(std::move(jobs)), launcher_(std::move(launcher)) {
    results_.allocators = std::move(allocators);
    if (request.program != nullptr) {
      results_.figures = {kSeconds, kCpuSeconds, kPeakRss};
    } else {
      results_.figures = {kThroughput, kPeakRss, kRestRss};
    }
  }

  void Run() {
    for (size_t i = 0; i < jobs_.size() && !Interrupted(); ++i) {
      const Job& job = jobs_[i];
      results_.rows.push_back({job.name, job.threads, {}});
      BenchRow& row = results_.rows.back();
      row.samples.resize(results_.allocators.size());
      std::fprintf(stderr, "[%zu/%zu] %s", i + 1, jobs_.size(), BenchResults::Label(row).c_str());
      for (int turn = 0; turn < request_.repeat && !Interrupted(); ++turn) RunTurn(job, turn, row);
      const std::string verdict = Verdict(row);
      std::fprintf(stderr, " %s\n", verdict.c_str());
    }
  }

  const BenchResults& results() const { return results_; }

  bool AllWorked() const {
    for (const BenchRow& row : results_.rows) {
      for (const std::vector<BenchSample>& samples : row.samples) {
        for (const BenchSample& sample : samples) {
          if (!sample.error.empty()) return false;
        }
      }
    }
    return true;
  }

 private:
  // One run under each allocator.
  void RunTurn(const Job& job, int turn, BenchRow& row) {
    std::vector<std::string> command = job.command;
    if (job.can_rest && turn < kRestingRuns && request_.rest_seconds > 0) {
      command.push_back("--rest-seconds");
      command.push_back(absl::StrCat(request_.rest_seconds));
    }
    for (size_t a = 0; a < results_.allocators.size(); ++a) {
      const absl::StatusOr<MeasuredRun> run = RunMeasured(
          launcher_, results_.allocators[a].library, command, request_.timeout_seconds);
      if (absl::IsCancelled(run.status())) return;
      row.samples[a].push_back(ToSample(job, run));
      std::fputc(run.ok() ? (run->disturbed ? '~' : '.') : '!', stderr);
    }
  }

  // The best one, for the progress line.
  std::string Verdict(const BenchRow& row) const {
    const size_t figure = results_.figures.front();
    for (size_t a = 0; a < results_.allocators.size(); ++a) {
      const std::optional<double> ratio = results_.OverBestOther(row, a, figure);
      if (ratio.has_value() && *ratio <= 1) {
        return absl::StrFormat("%s first, by %.2f", results_.allocators[a].name, 1 / *ratio);
      }
    }
    return {};
  }

  const BenchRequest& request_;
  const std::vector<Job> jobs_;
  const std::string launcher_;
  BenchResults results_;
};

int List(const BenchRequest& request) {
  const absl::StatusOr<std::vector<BenchAllocator>> allocators = FindAllocators(request.allocators);
  if (!allocators.ok()) {
    PrintError(allocators.status().message());
    return kExitUsage;
  }
  std::string text = "scenarios:\n";
  for (const Scenario& scenario : Scenarios()) {
    absl::StrAppendFormat(&text, "  %-22s %s\n", scenario.name, scenario.what);
  }
  absl::StrAppend(&text, "allocators:\n");
  for (const BenchAllocator& allocator : *allocators) {
    absl::StrAppendFormat(&text, "  %-22s %s\n", allocator.name, allocator.library);
  }
  std::fputs(text.c_str(), stdout);
  return kExitSuccess;
}

BenchConditions Conditions(const BenchRequest& request, Arguments arguments) {
  BenchConditions conditions = DescribeMachine();
  std::vector<absl::string_view> words;
  for (const char* word : arguments) words.emplace_back(word);
  conditions.emplace_back("command", absl::StrCat("cma bench ", absl::StrJoin(words, " ")));
  conditions.emplace_back("method",
                          absl::StrCat("medians of ", request.repeat, " interleaved runs"));
  if (request.program == nullptr) {
    conditions.emplace_back("length", absl::StrCat("fixed work, aimed at ", request.seconds, " s"));
    conditions.emplace_back("rest", absl::StrCat(request.rest_seconds, " s"));
  }
  return conditions;
}

int Fail(const absl::Status& status) {
  PrintError(status.message());
  return kExitUsage;
}

int Run(Arguments arguments) {
  const absl::StatusOr<BenchRequest> request = ParseBenchRequest(arguments);
  if (!request.ok()) return Fail(request.status());
  if (request->list) return List(*request);
  const absl::StatusOr<std::vector<BenchAllocator>> allocators = FindAllocators(request->allocators);
  if (!allocators.ok()) return Fail(allocators.status());
  const absl::StatusOr<std::string> directory = FindBenchDirectory(request->bench_dir);
  if (!directory.ok()) return Fail(directory.status());
  const absl::StatusOr<std::vector<Job>> jobs =
      request->program != nullptr ? ProgramJob(*request) : ScenarioJobs(*request, *directory);
  if (!jobs.ok()) return Fail(jobs.status());

  const BenchConditions conditions = Conditions(*request, arguments);
  CatchInterrupts();
  Bench bench(*request, *jobs, absl::StrCat(*directory, "/run_measured"), *allocators);
  bench.Run();
  std::fputs(TextReport(bench.results(), conditions).c_str(), stdout);
  int status = bench.AllWorked() ? kExitSuccess : kExitFailure;
  if (!request->out.empty()) {
    const absl::Status written = WriteReports(request->out, bench.results(), conditions);
    if (!written.ok()) {
      PrintError(written.message());
      status = kExitFailure;
    } else {
      std::printf("\nwritten: %s/report.html, results.csv, results.json\n", request->out.c_str());
    }
  }
  return Interrupted() ? kExitInterrupted : status;
}

}  // namespace

constexpr Command kBenchCommand = {"bench", "compare allocators, on scenarios or a program", &Help,
                                   &Run};

}  // namespace cma::tool
