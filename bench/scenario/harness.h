#ifndef CMA_BENCH_SCENARIO_HARNESS_H_
#define CMA_BENCH_SCENARIO_HARNESS_H_

// The frame of a scenario: threads, clock, and the report. Everything here keeps away from malloc
// (except what std::thread does), so that the figures are the scenario's own.
//
// A scenario is one class, made once per thread:
//
//   struct Churn {
//     explicit Churn(Worker& worker);  // set-up, not timed
//     void Load(Worker& worker);       // timed: `while (worker.Claim()) { ... }`
//     void Clear(Worker& worker);      // frees what the load left; not timed
//   };

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <thread>

#include "block.h"
#include "flags.h"
#include "memory_use.h"
#include "random.h"

namespace scenario {

inline double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline void SleepSeconds(double seconds) {
  timespec left;
  left.tv_sec = static_cast<time_t>(seconds);
  left.tv_nsec = static_cast<long>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
  while (nanosleep(&left, &left) != 0) {
  }
}

struct LoadOptions {
  int threads;
  uint64_t ops;    // in all, split evenly over the threads; 0: until `seconds` are over
  double seconds;  // 0: until `ops` are done
  uint64_t seed;
  double rest_seconds;
};

inline LoadOptions ReadLoadOptions(Flags& flags, uint64_t default_ops) {
  LoadOptions options;
  options.threads = static_cast<int>(flags.Count("threads", 1, "threads that carry the load"));
  options.seconds = flags.Real("seconds", 0, "run this long instead of a number of operations");
  options.ops = flags.Count("ops", options.seconds > 0 ? 0 : default_ops,
                            "operations in all, split over the threads");
  options.seed = flags.Count("seed", 1, "seed of the random numbers");
  options.rest_seconds = flags.Real("rest-seconds", 0, "stay idle this long, then report RSS");
  if (options.threads < 1 || options.threads > 4096) flags.Reject("threads", "", "1 to 4096");
  return options;
}

// What one thread of the load sees.
class Worker {
 public:
  Worker(const LoadOptions& options, int index, const std::atomic<bool>& stop)
      : index_(index),
        threads_(options.threads),
        random_(options.seed * 0x100000001b3u + static_cast<uint64_t>(index)),
        budget_(Share(options)),
        left_(budget_),
        stop_(stop) {}

  // True: do `n` more operations (they count as done). False: the load is over.
  bool Claim(uint64_t n = 1) {
    if (left_ < n || stop_.load(std::memory_order_relaxed)) [[unlikely]]
      return false;
    left_ -= n;
    return true;
  }

  // Counts `n` operations that are done already, where nobody can tell before how many it will be.
  // False: the load is over.
  bool CountDone(uint64_t n) {
    const uint64_t within = std::min(n, left_);
    left_ -= within;
    beyond_ += n - within;
    return left_ != 0 && !stop_.load(std::memory_order_relaxed);
  }

  uint64_t Done() const { return budget_ - left_ + beyond_; }
  int index() const { return index_; }
  int threads() const { return threads_; }
  Random& random() { return random_; }
  LiveBytes& live() { return live_; }

 private:
  static uint64_t Share(const LoadOptions& options) {
    if (options.ops == 0) return UINT64_MAX;
    const auto threads = static_cast<uint64_t>(options.threads);
    return (options.ops + threads - 1) / threads;
  }

  const int index_;
  const int threads_;
  Random random_;
  const uint64_t budget_;
  uint64_t left_;
  uint64_t beyond_ = 0;  // done in excess of the budget
  const std::atomic<bool>& stop_;
  LiveBytes live_;
};

class Barrier {
 public:
  explicit Barrier(unsigned parties) { pthread_barrier_init(&barrier_, nullptr, parties); }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  ~Barrier() { pthread_barrier_destroy(&barrier_); }
  void Wait() { pthread_barrier_wait(&barrier_); }

 private:
  pthread_barrier_t barrier_;
};

// One report line, built on the stack and written with write(2).
class Line {
 public:
  Line& Add(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    va_list arguments;
    va_start(arguments, format);
    const int wrote = std::vsnprintf(text_ + length_, sizeof text_ - length_, format, arguments);
    va_end(arguments);
    if (wrote > 0) length_ = std::min(sizeof text_ - 1, length_ + static_cast<size_t>(wrote));
    return *this;
  }

  const char* text() const { return text_; }

  void Write() {
    Add("\n");
    size_t done = 0;
    while (done < length_) {
      const ssize_t wrote = write(STDOUT_FILENO, text_ + done, length_ - done);
      if (wrote <= 0) break;
      done += static_cast<size_t>(wrote);
    }
  }

 private:
  char text_[2048] = {};
  size_t length_ = 0;
};

// Measures one load and prints it.
//
//   ops_per_second= ops= seconds= peak_live_bytes= rss_over_live=      at the end of the load
//   rss_load_end_kib= rss_rest_kib= peak_rss_kib= ...                  with --rest-seconds
//
// Ratios leave out what the process used before the load (code, libc, stacks).
class Report {
 public:
  explicit Report(const LoadOptions& options)
      : options_(options), base_rss_kib_(RssKib()), start_(Now()) {}

  // The threads are there and set up, the load may start.
  void LoadStarts() {
    ready_rss_kib_ = RssKib();
    start_ = Now();
  }

  void LoadEnds(uint64_t ops) {
    seconds_ = Now() - start_;
    if (ops == 0) {
      std::fprintf(stderr, "scenario: too few --ops or --seconds for one unit of its work\n");
      _exit(2);  // the load's threads still wait for their next phase
    }
    ops_ = ops;
    load_end_rss_kib_ = RssKib();
    load_end_live_ = live_total.now.load();
    peak_rss_kib_ = PeakRssKib();
  }

  // Extra figures of the scenario go to the same line.
  void PrintLoad(const char* extra = "") const {
    Line line;
    line.Add("ops_per_second=%.1f ops=%llu seconds=%.6f", static_cast<double>(ops_) / seconds_,
             static_cast<unsigned long long>(ops_), seconds_);
    const int64_t peak_live = live_total.peak.load();
    if (peak_live > 0) line.Add(" peak_live_bytes=%lld", static_cast<long long>(peak_live));
    AddRatio(line, "peak_rss_over_peak_live", peak_rss_kib_, peak_live);
    AddRatio(line, "rss_over_live", load_end_rss_kib_, load_end_live_);
    line.Add(" peak_rss_kib=%llu", static_cast<unsigned long long>(peak_rss_kib_));
    if (*extra != '\0') line.Add(" %s", extra);
    line.Write();
  }

  // Stays idle, then prints what the process still occupies. Does nothing without --rest-seconds.
  void Rest() const {
    if (options_.rest_seconds <= 0) return;
    SleepSeconds(options_.rest_seconds);
    const uint64_t rest_rss_kib = RssKib();
    Line line;
    line.Add("rss_load_end_kib=%llu rss_rest_kib=%llu peak_rss_kib=%llu",
             static_cast<unsigned long long>(load_end_rss_kib_),
             static_cast<unsigned long long>(rest_rss_kib),
             static_cast<unsigned long long>(PeakRssKib()));
    AddRatio(line, "rest_rss_over_live", rest_rss_kib, live_total.now.load());
    line.Write();
  }

  uint64_t base_rss_kib() const { return base_rss_kib_; }
  uint64_t ready_rss_kib() const { return ready_rss_kib_; }

 private:
  // Below 1 MiB live the ratio would only show the process itself.
  void AddRatio(Line& line, const char* name, uint64_t rss_kib, int64_t live) const {
    if (live < (1 << 20) || rss_kib <= base_rss_kib_) return;
    const double bytes = static_cast<double>(rss_kib - base_rss_kib_) * 1024;
    line.Add(" %s=%.4f", name, bytes / static_cast<double>(live));
  }

  const LoadOptions options_;
  const uint64_t base_rss_kib_;
  uint64_t ready_rss_kib_ = 0;
  double start_;
  double seconds_ = 0;
  uint64_t ops_ = 0;
  uint64_t load_end_rss_kib_ = 0;
  uint64_t peak_rss_kib_ = 0;
  int64_t load_end_live_ = 0;
};

// Threads that pass through the phases of a load together. They stay alive, idle, while the
// process rests: a server's workers do the same.
template <typename Scenario>
class Crew {
 public:
  Crew(const LoadOptions& options, Report& report)
      : options_(options),
        report_(report),
        phase_(static_cast<unsigned>(options.threads) + 1),
        ops_(0) {}

  // `make(worker)` builds the scenario of a thread, in place.
  template <typename Make>
  void RunLoad(Make make) {
    threads_ = new std::thread[static_cast<size_t>(options_.threads)];
    for (int i = 0; i < options_.threads; ++i) {
      threads_[i] = std::thread([this, i, &make] { Live(i, make); });
    }
    phase_.Wait();  // all are set up
    report_.LoadStarts();
    phase_.Wait();  // go
    if (options_.seconds > 0) {
      SleepSeconds(options_.seconds);
      stop_.store(true, std::memory_order_relaxed);
    }
    phase_.Wait();  // the last one is done
    report_.LoadEnds(ops_.load());
  }

  void Clear() {
    phase_.Wait();
    phase_.Wait();
  }

  void Join() {
    phase_.Wait();
    for (int i = 0; i < options_.threads; ++i) threads_[i].join();
    delete[] threads_;
  }

 private:
  template <typename Make>
  void Live(int index, Make& make) {
    Worker worker(options_, index, stop_);
    Scenario scenario = make(worker);
    worker.live().Publish();
    phase_.Wait();
    phase_.Wait();
    scenario.Load(worker);
    ops_.fetch_add(worker.Done());
    worker.live().Publish();
    phase_.Wait();  // load is over
    phase_.Wait();  // clear
    scenario.Clear(worker);
    worker.live().Publish();
    phase_.Wait();  // cleared: rest
    phase_.Wait();  // leave
  }

  const LoadOptions options_;
  Report& report_;
  Barrier phase_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> ops_;
  std::thread* threads_ = nullptr;
};

// The usual main(): load, report, clear, rest. `make(worker)` returns the Scenario of a thread.
template <typename Scenario, typename Make>
int RunScenario(const LoadOptions& options, Make make) {
  Report report(options);
  Crew<Scenario> crew(options, report);
  crew.RunLoad(make);
  report.PrintLoad();
  crew.Clear();
  report.Rest();
  crew.Join();
  return 0;
}

}  // namespace scenario

#endif  // CMA_BENCH_SCENARIO_HARNESS_H_
