// What preloading a library adds to the life of a process that does nothing: starts /bin/true in
// turn with and without it and compares the times. Another load on the machine can only add to
// them, so what counts is the fastest tenth of the runs, which a quiet machine's median is close
// to.
//
//   startup_cost LIBRARY
//
// cma-test: serial
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

// On a machine where a process takes long to start, as page faults do in some virtual ones, the
// share of it counts.
constexpr Milliseconds kLimit{0.3};
constexpr double kLimitShare = 0.25;
constexpr int kRuns = 200;
constexpr int kAttempts = 3;

Milliseconds TimeOneProcess(char** environment) {
  char program[] = "/bin/true";
  char* arguments[] = {program, nullptr};
  const auto start = std::chrono::steady_clock::now();
  pid_t child;
  int status = -1;
  if (posix_spawn(&child, program, nullptr, nullptr, arguments, environment) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    std::fprintf(stderr, "%s with %s failed, status %d\n", program,
                 environment[0] ? environment[0] : "no preload", status);
    std::exit(1);
  }
  return std::chrono::steady_clock::now() - start;
}

Milliseconds Percentile(std::vector<Milliseconds> times, size_t percent) {
  const auto place = times.begin() + times.size() * percent / 100;
  std::nth_element(times.begin(), place, times.end());
  return *place;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || access(argv[1], R_OK) != 0) {
    std::fprintf(stderr, "usage: startup_cost LIBRARY, which must exist\n");
    return 2;
  }
  std::string preload = std::string("LD_PRELOAD=") + argv[1];
  char* plain_environment[] = {nullptr};
  char* preload_environment[] = {preload.data(), nullptr};

  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    std::vector<Milliseconds> plain, preloaded;
    for (int run = 0; run < kRuns; ++run) {
      plain.push_back(TimeOneProcess(plain_environment));
      preloaded.push_back(TimeOneProcess(preload_environment));
    }
    const Milliseconds cost = Percentile(preloaded, 10) - Percentile(plain, 10);
    const Milliseconds limit = std::max(kLimit, kLimitShare * Percentile(plain, 10));
    const Milliseconds median_cost = Percentile(preloaded, 50) - Percentile(plain, 50);
    std::printf(
        "attempt %d: plain %.3f ms, preloaded %.3f ms, cost %.3f ms (limit %.2f ms); "
        "by the median %.3f ms\n",
        attempt, Percentile(plain, 10).count(), Percentile(preloaded, 10).count(), cost.count(),
        limit.count(), median_cost.count());
    if (cost < limit) return 0;
  }
  return 1;
}
