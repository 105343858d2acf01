// One run of one program with an allocator preloaded, and what it cost.
#ifndef CMA_TOOL_MEASURED_RUN_H_
#define CMA_TOOL_MEASURED_RUN_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cma::tool {

struct MeasuredRun {
  double seconds = 0;
  double cpu_seconds = 0;
  double peak_rss_kib = 0;
  bool disturbed = false;  // other processes kept the machine busy meanwhile
  std::map<std::string, double, std::less<>> figures;  // the name=number words that it printed
};

// Runs `command` by way of `launcher` (bench/run_measured) with no standard input. What it prints is
// read for figures and dropped. Internal, with a message for the user, if it fails or if the library
// could not be preloaded; DeadlineExceeded if it takes longer than that; Cancelled after Ctrl-C.
absl::StatusOr<MeasuredRun> RunMeasured(const std::string& launcher, const std::string& library,
                                        const std::vector<std::string>& command,
                                        double timeout_seconds);

// From now on the first Ctrl-C (SIGINT or SIGTERM) only ends the run that is under way.
void CatchInterrupts();
bool Interrupted();

}  // namespace cma::tool

#endif  // CMA_TOOL_MEASURED_RUN_H_
