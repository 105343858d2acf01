// The runs of `cma bench`: every job under every allocator, in turn.
#ifndef CMA_TOOL_BENCH_RUNNER_H_
#define CMA_TOOL_BENCH_RUNNER_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tool/bench_allocators.h"
#include "tool/bench_jobs.h"
#include "tool/bench_request.h"
#include "tool/bench_results.h"

namespace cma::tool {

// Owns the results. Shows its progress on stderr: one line for each row, with a mark for each run:
// `.` calm, `~` disturbed (and repeated), `!` failed.
class BenchRunner {
 public:
  // `launcher`: path of run_measured. The request must outlive this.
  BenchRunner(const BenchRequest& request, std::vector<BenchJob> jobs, std::string launcher,
              std::vector<BenchAllocator> allocators);

  // Until all is done or the user interrupts; calls `row_done` after each row.
  void Run(const std::function<void()>& row_done);

  const BenchResults& results() const { return results_; }

  // Without those that repeat a disturbed one.
  size_t runs_done() const { return runs_done_; }
  size_t runs_meant() const;

  bool AllWorked() const;

 private:
  void RunTurn(const BenchJob& job, int turn, BenchRow& row);
  bool RunOnce(const BenchJob& job, const std::vector<std::string>& command, size_t allocator,
               BenchRow& row);
  std::string Verdict(const BenchRow& row) const;

  const BenchRequest& request_;
  const std::vector<BenchJob> jobs_;
  const std::string launcher_;
  BenchResults results_;
  size_t runs_done_ = 0;
};

}  // namespace cma::tool

#endif  // CMA_TOOL_BENCH_RUNNER_H_
