#include "tool/bench_runner.h"

#include <cstdio>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tool/measured_run.h"

namespace cma::tool {
namespace {

// Of a cell's runs so many also rest, as that takes longer than they do.
constexpr int kRestingRuns = 1;

// What the program says of itself comes first: it leaves out what it did before its load.
BenchSample ToSample(const BenchJob& job, const absl::StatusOr<MeasuredRun>& run) {
  BenchSample sample;
  if (!run.ok()) {
    sample.error = std::string(run.status().message());
    return sample;
  }
  sample.disturbed = run->disturbed;
  sample.values[kSeconds] = run->seconds;
  sample.values[kCpuSeconds] = run->cpu_seconds;
  sample.values[kPeakRss] = run->peak_rss_kib;
  if (!job.reports_itself) return sample;
  for (size_t figure = 0; figure < kFigureCount; ++figure) {
    const auto found = run->figures.find(kFigures[figure].output);
    if (found != run->figures.end()) sample.values[figure] = found->second;
  }
  if (const size_t first = job.figures.front(); !sample.values[first].has_value()) {
    sample.error = absl::StrCat("it printed no ", kFigures[first].output);
  }
  return sample;
}

// " (about 5 min left)", once there is something to judge by.
std::string TimeLeft(size_t done, size_t all, absl::Duration spent) {
  if (done == 0) return {};
  const absl::Duration left = spent / static_cast<double>(done) * static_cast<double>(all - done);
  if (left < absl::Minutes(1)) return " (less than a minute left)";
  return absl::StrFormat(" (about %d min left)", absl::ToInt64Minutes(left) + 1);
}

}  // namespace

BenchRunner::BenchRunner(const BenchRequest& request, std::vector<BenchJob> jobs,
                         std::string launcher, std::vector<BenchAllocator> allocators)
    : request_(request), jobs_(std::move(jobs)), launcher_(std::move(launcher)) {
  results_.allocators = std::move(allocators);
}

void BenchRunner::Run(const std::function<void()>& row_done) {
  const absl::Time start = absl::Now();
  for (size_t i = 0; i < jobs_.size() && !Interrupted(); ++i) {
    const BenchJob& job = jobs_[i];
    results_.rows.push_back({job.name, job.threads, job.figures, {}, job.what});
    BenchRow& row = results_.rows.back();
    row.samples.resize(results_.allocators.size());
    std::fprintf(stderr, "[%zu/%zu]%s %s ", i + 1, jobs_.size(),
                 TimeLeft(i, jobs_.size(), absl::Now() - start).c_str(),
                 BenchResults::Label(row).c_str());
    for (int turn = 0; turn < request_.repeat && !Interrupted(); ++turn) RunTurn(job, turn, row);
    std::fprintf(stderr, " %s\n", Verdict(row).c_str());
    row_done();
  }
}

// One run under each allocator, to and fro: memory that one has used comes faster to the next, and
// so it is not always the same one that follows another. A disturbed one is repeated at once:
// whoever was in the way may have gone, and if not, the median decides.
void BenchRunner::RunTurn(const BenchJob& job, int turn, BenchRow& row) {
  std::vector<std::string> command = job.command;
  if (job.reports_itself && turn < kRestingRuns && request_.rest_seconds > 0) {
    command.push_back("--rest-seconds");
    command.push_back(absl::StrCat(request_.rest_seconds));
  }
  const size_t count = results_.allocators.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t a = turn % 2 == 0 ? i : count - 1 - i;
    const size_t before = row.samples[a].size();
    const bool disturbed = RunOnce(job, command, a, row);
    runs_done_ += row.samples[a].size() - before;
    if (disturbed && !Interrupted()) RunOnce(job, job.command, a, row);
    if (Interrupted()) return;
  }
}

// True if the run was good but disturbed.
bool BenchRunner::RunOnce(const BenchJob& job, const std::vector<std::string>& command,
                          size_t allocator, BenchRow& row) {
  const absl::StatusOr<MeasuredRun> run = RunMeasured(
      launcher_, results_.allocators[allocator].library, command, request_.timeout_seconds);
  if (absl::IsCancelled(run.status())) return false;
  const BenchSample sample = ToSample(job, run);
  row.samples[allocator].push_back(sample);
  std::fputc(!sample.error.empty() ? '!' : sample.disturbed ? '~' : '.', stderr);
  return sample.error.empty() && sample.disturbed;
}

size_t BenchRunner::runs_meant() const {
  return jobs_.size() * results_.allocators.size() * static_cast<size_t>(request_.repeat);
}

bool BenchRunner::AllWorked() const {
  for (const BenchRow& row : results_.rows) {
    for (const std::vector<BenchSample>& samples : row.samples) {
      for (const BenchSample& sample : samples) {
        if (!sample.error.empty()) return false;
      }
    }
  }
  return true;
}

// The best one, for the progress line.
std::string BenchRunner::Verdict(const BenchRow& row) const {
  const size_t figure = row.figures.front();
  for (size_t a = 0; a < results_.allocators.size(); ++a) {
    const std::optional<double> ratio = results_.OverBestOther(row, a, figure);
    if (ratio.has_value() && *ratio <= 1) {
      return absl::StrFormat("%s first, by %.2f", results_.allocators[a].name, 1 / *ratio);
    }
  }
  return {};
}

}  // namespace cma::tool
