// How long does one call take? Random churn with a clock around every malloc and every free:
// median, 99 %, 99.99 % and the longest call. One op is one malloc + free.
//   --churn slot:          as slot_churn: 8 B to 16 KiB, a quarter of the replacements in slots of
//                          other threads
//   --churn thread-local:  as thread_local_churn: private slots, Pareto sizes 16 B to 8 KiB
//
// The clock is the processor's time stamp counter, read between fences, so that neither a part of
// the call nor of its surroundings slips out or in; elsewhere CLOCK_MONOTONIC. What an empty pair
// of readings takes (clock_ns in the report) is subtracted from each duration. With more threads
// than CPUs the longest calls contain the time that their thread had no CPU.

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

#if defined(__x86_64__)

inline uint64_t TicksBefore() {
  _mm_lfence();
  const uint64_t ticks = __rdtsc();
  _mm_lfence();
  return ticks;
}

// Waits for everything before it.
inline uint64_t TicksAfter() {
  unsigned processor;
  const uint64_t ticks = __rdtscp(&processor);
  _mm_lfence();
  return ticks;
}

#else

inline uint64_t TicksBefore() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t TicksAfter() { return TicksBefore(); }

#endif

struct Clock {
  double ns_per_tick;
  uint64_t own_ticks;  // of an empty pair of readings
  uint64_t step;       // the clock goes on by so many ticks at a time

  // Ticks of what happened since `start`.
  uint64_t Since(uint64_t start) const {
    const uint64_t ticks = TicksAfter() - start;
    return ticks > own_ticks ? ticks - own_ticks : 0;
  }
};

Clock Calibrate() {
  constexpr size_t kPairs = 10'001;
  static uint64_t pairs[kPairs];
  for (uint64_t& pair : pairs) {
    const uint64_t start = TicksBefore();
    pair = TicksAfter() - start;
  }
  std::sort(pairs, pairs + kPairs);
  uint64_t step = pairs[0];  // if they are all the same
  for (size_t i = 1; i < kPairs; ++i) {
    if (pairs[i] != pairs[i - 1]) step = std::min(step, pairs[i] - pairs[i - 1]);
  }
  const double start = Now();
  const uint64_t ticks = TicksBefore();
  SleepSeconds(0.05);
  const double ns_per_tick = (Now() - start) * 1e9 / static_cast<double>(TicksBefore() - ticks);
  return {ns_per_tick, pairs[kPairs / 2], step};
}

// Counts of durations; 32 buckets per doubling keep every quantile exact to about 3 %.
class Histogram {
 public:
  void Add(uint64_t ticks) {
    ++counts_[BucketOf(ticks)];
    if (ticks > max_) max_ = ticks;
  }

  void Merge(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    if (other.max_ > max_) max_ = other.max_;
  }

  uint64_t Quantile(double q) const {
    uint64_t total = 0;
    for (uint64_t count : counts_) total += count;
    auto left = static_cast<uint64_t>(static_cast<double>(total) * (1 - q));
    for (size_t i = kBuckets; i > 0; --i) {
      if (counts_[i - 1] > left) return LowestOf(i - 1);
      left -= counts_[i - 1];
    }
    return 0;
  }

  uint64_t max() const { return max_; }

 private:
  static constexpr int kSubBits = 5;
  static constexpr size_t kBuckets = (64 - kSubBits) << kSubBits;

  static size_t BucketOf(uint64_t ticks) {
    if (ticks < (1u << (kSubBits + 1))) return ticks;
    const int shift = std::bit_width(ticks) - 1 - kSubBits;
    return (static_cast<size_t>(shift) << kSubBits) + (ticks >> shift);
  }

  static uint64_t LowestOf(size_t bucket) {
    if (bucket < (1u << (kSubBits + 1))) return bucket;
    const size_t shift = (bucket >> kSubBits) - 1;
    return ((bucket & ((1u << kSubBits) - 1)) + (1u << kSubBits)) << shift;
  }

  uint64_t counts_[kBuckets] = {};
  uint64_t max_ = 0;
};

struct Calls {
  Histogram mallocs;
  Histogram frees;
};

Calls all_calls;
pthread_mutex_t all_calls_mutex = PTHREAD_MUTEX_INITIALIZER;

struct Settings {
  Clock clock;
  std::atomic<Block*>* slots;
  size_t slots_per_thread;
  size_t cross_percent;
  SizeTable sizes;
};

class Churn {
 public:
  Churn(const Settings& settings, Worker& worker)
      : settings_(settings),
        first_(static_cast<size_t>(worker.index()) * settings.slots_per_thread),
        all_(static_cast<size_t>(worker.threads()) * settings.slots_per_thread) {}

  void Load(Worker& worker) {
    while (worker.Claim()) {
      Block* old = Slot(worker.random()).exchange(TimedNew(worker), std::memory_order_acq_rel);
      if (old != nullptr) TimedFree(worker, old);
    }
    pthread_mutex_lock(&all_calls_mutex);
    all_calls.mallocs.Merge(calls_.mallocs);
    all_calls.frees.Merge(calls_.frees);
    pthread_mutex_unlock(&all_calls_mutex);
  }

  void Clear(Worker& worker) {
    for (size_t i = first_; i < first_ + settings_.slots_per_thread; ++i) {
      FreeBlock(worker.live(), settings_.slots[i].exchange(nullptr));
    }
  }

 private:
  Block* TimedNew(Worker& worker) {
    const size_t bytes = settings_.sizes.Pick(worker.random());
    const uint64_t start = TicksBefore();
    auto* block = static_cast<Block*>(std::malloc(bytes));
    calls_.mallocs.Add(settings_.clock.Since(start));
    if (block == nullptr) Fail("malloc returned NULL");
    block->bytes = static_cast<uint32_t>(bytes);
    block->check = ~block->bytes;
    TouchPages(block, bytes);
    worker.live().Add(bytes);
    return block;
  }

  void TimedFree(Worker& worker, Block* block) {
    if (block->check != ~block->bytes) Fail("a live block was overwritten");
    worker.live().Subtract(block->bytes);
    const uint64_t start = TicksBefore();
    std::free(block);
    calls_.frees.Add(settings_.clock.Since(start));
  }

  std::atomic<Block*>& Slot(Random& random) const {
    const bool anywhere = random.Percent(settings_.cross_percent);
    return settings_
        .slots[anywhere ? random.Below(all_) : first_ + random.Below(settings_.slots_per_thread)];
  }

  const Settings& settings_;
  const size_t first_;
  const size_t all_;
  Calls calls_;
};

void AddQuantiles(Line& line, const char* call, const Histogram& calls, double ns_per_tick) {
  const auto ns = [&](uint64_t ticks) { return static_cast<double>(ticks) * ns_per_tick; };
  line.Add("%s_p50_ns=%.1f ", call, ns(calls.Quantile(0.5)));
  line.Add("%s_p99_ns=%.1f ", call, ns(calls.Quantile(0.99)));
  line.Add("%s_p9999_ns=%.1f ", call, ns(calls.Quantile(0.9999)));
  line.Add("%s_max_ns=%.1f ", call, ns(calls.max()));
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "latency: duration of single malloc and free calls under churn");
  const LoadOptions options = ReadLoadOptions(flags, 5'000'000);
  const char* churn = flags.Text("churn", "slot", "slot or thread-local");
  flags.Finish();
  const bool local = std::strcmp(churn, "thread-local") == 0;
  if (!local && std::strcmp(churn, "slot") != 0) {
    flags.Reject("churn", churn, "slot or thread-local");
  }
  const size_t slots = local ? 1000 : 4000;
  LiveBytes live;
  CountedArray<std::atomic<Block*>> all(live, slots * static_cast<size_t>(options.threads));
  live.Publish();
  const Settings settings{
      Calibrate(), all.begin(), slots, local ? 0u : 25u,
      local ? SizeTable::Pareto(16, 8192, 1.1) : SizeTable::LogUniform(8, 16384)};

  Report report(options);
  Crew<Churn> crew(options, report);
  crew.RunLoad([&](Worker& worker) { return Churn(settings, worker); });
  const double ns_per_tick = settings.clock.ns_per_tick;
  Line figures;
  AddQuantiles(figures, "malloc", all_calls.mallocs, ns_per_tick);
  AddQuantiles(figures, "free", all_calls.frees, ns_per_tick);
  figures.Add("clock_ns=%.1f clock_step_ns=%.1f",
              static_cast<double>(settings.clock.own_ticks) * ns_per_tick,
              static_cast<double>(settings.clock.step) * ns_per_tick);
  report.PrintLoad(figures.text());
  crew.Clear();
  report.Rest();
  crew.Join();
  return 0;
}
