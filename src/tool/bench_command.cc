#include "tool/bench_command.h"

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tool/bench_allocators.h"
#include "tool/bench_conditions.h"
#include "tool/bench_jobs.h"
#include "tool/bench_report.h"
#include "tool/bench_request.h"
#include "tool/bench_results.h"
#include "tool/bench_runner.h"
#include "tool/bench_scenarios.h"
#include "tool/exit_status.h"
#include "tool/measured_run.h"

namespace cma::tool {
namespace {

std::string Help() {
  return "usage: cma bench [FLAGS]                       runs scenarios\n"
         "       cma bench [FLAGS] -- PROGRAM ARGS...    runs a program of yours\n"
         "\n"
         "Runs the same programs under several allocators, in turn (A B C C B A ...), and prints\n"
         "medians: operations per second, peak RSS, and RSS at rest; durations of single calls; "
         "of\n"
         "programs wall time, processor time and memory. What your program prints is dropped, its\n"
         "input is empty.\n"
         "\n"
         "  --scenario NAMES      scenarios, with commas between them (default: all that can run)\n"
         "  --threads NUMBERS     numbers of threads (default: 1,2,4... to twice the CPUs)\n"
         "  --allocators NAMES    cma, glibc, jemalloc, tcmalloc, mimalloc, tbbmalloc, and any\n"
         "                        other as name=/path.so (default: all that are found)\n"
         "  --repeat N            runs of each program under each allocator (default 5)\n"
         "  --seconds S           aimed length of a scenario's run (default 0.5); the work is "
         "fixed\n"
         "                        by it, so that all allocators do the same\n"
         "  --rest-seconds S      idle time before RSS at rest is read, in the first of the runs\n"
         "                        (default 2; 0: it is not read)\n"
         "  --timeout S           ends a run that takes longer (default 300)\n"
         "  --out DIR             also writes results.csv, results.json and report.html there,\n"
         "                        anew after each row\n"
         "  --bench-dir DIR       where the scenarios' programs are (default: beside this tool)\n"
         "  --list                lists scenarios and allocators, runs nothing\n"
         "\n"
         "Runs during which other processes kept the machine busy are marked, repeated once, and\n"
         "left out of the medians. Ctrl-C ends the measuring; what is done by then is printed and\n"
         "written.\n"
         "\n"
         "Exit status: 0; 1 if a run failed or the results cannot be written, 2 for a wrong "
         "command\n"
         "line, 130 after Ctrl-C.\n";
}

int List(const BenchRequest& request) {
  const absl::StatusOr<std::vector<BenchAllocator>> allocators = FindAllocators(request.allocators);
  if (!allocators.ok()) {
    PrintError(allocators.status().message());
    return kExitUsage;
  }
  std::string text = "scenarios:\n";
  for (const Scenario& scenario : Scenarios()) {
    const std::string missing = MissingProgram(scenario);
    absl::StrAppendFormat(&text, "  %-22s %s%s\n", scenario.name, scenario.what,
                          missing.empty() ? "" : absl::StrCat(" (", missing, " is not installed)"));
  }
  absl::StrAppend(&text, "allocators:\n");
  for (const BenchAllocator& allocator : *allocators) {
    absl::StrAppendFormat(&text, "  %-22s %s%s\n", allocator.name, allocator.library,
                          allocator.version.empty() ? "" : " (" + allocator.version + ")");
  }
  std::fputs(text.c_str(), stdout);
  return kExitSuccess;
}

int Fail(const absl::Status& status) {
  PrintError(status.message());
  return kExitUsage;
}

int Run(Arguments arguments) {
  const absl::StatusOr<BenchRequest> request = ParseBenchRequest(arguments);
  if (!request.ok()) return Fail(request.status());
  if (request->list) return List(*request);
  const absl::StatusOr<std::vector<BenchAllocator>> allocators =
      FindAllocators(request->allocators);
  if (!allocators.ok()) return Fail(allocators.status());
  const absl::StatusOr<std::string> directory = FindBenchDirectory(request->bench_dir);
  if (!directory.ok()) return Fail(directory.status());
  const absl::StatusOr<std::vector<BenchJob>> jobs = MakeBenchJobs(*request, *directory);
  if (!jobs.ok()) return Fail(jobs.status());
  // Now, and not after an hour's measuring.
  if (!request->out.empty()) {
    if (const absl::Status status = PrepareReports(request->out); !status.ok()) {
      PrintError(status.message());
      return kExitFailure;
    }
  }
  BenchConditions conditions = DescribeConditions(*request, arguments);
  CatchInterrupts();
  BenchRunner runner(*request, *jobs, absl::StrCat(*directory, "/run_measured"), *allocators);
  absl::Status written = absl::OkStatus();
  const auto write = [&] {
    if (!request->out.empty()) written = WriteReports(request->out, runner.results(), conditions);
  };
  runner.Run(write);
  if (Interrupted() && runner.runs_done() < runner.runs_meant()) {
    DescribeInterrupt(*request, runner.runs_done(), runner.runs_meant(), conditions);
    write();
  }
  std::fputs(TextReport(runner.results(), conditions).c_str(), stdout);
  if (!written.ok()) {
    PrintError(written.message());
  } else if (!request->out.empty()) {
    std::printf("\nwritten: %s/report.html, results.csv, results.json\n", request->out.c_str());
  }
  if (Interrupted()) return kExitInterrupted;
  return runner.AllWorked() && written.ok() ? kExitSuccess : kExitFailure;
}

}  // namespace

constexpr Command kBenchCommand = {"bench", "compare allocators, on scenarios or a program", &Help,
                                   &Run};

}  // namespace cma::tool
