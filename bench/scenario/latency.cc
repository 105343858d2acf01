// How long does one call take? Random slot churn (8 B to 16 KiB, a quarter of the replacements in
// slots of other threads) with a clock around every malloc and every free: median, 99 %, 99.99 %
// and the longest call. The clock's own cost is part of the figures; it is the same for everybody.
// One op is one malloc + free.

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <atomic>
#include <bit>

#include "harness.h"

namespace {

using namespace scenario;

// Ticks of the cheapest steady clock.
inline uint64_t Ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
#endif
}

double NanosecondsPerTick() {
  const double start = Now();
  const uint64_t ticks = Ticks();
  SleepSeconds(0.05);
  return (Now() - start) * 1e9 / static_cast<double>(Ticks() - ticks);
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
  std::atomic<Block*>* slots;
  size_t slots_per_thread;
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
    const uint64_t start = Ticks();
    auto* block = static_cast<Block*>(std::malloc(bytes));
    calls_.mallocs.Add(Ticks() - start);
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
    const uint64_t start = Ticks();
    std::free(block);
    calls_.frees.Add(Ticks() - start);
  }

  std::atomic<Block*>& Slot(Random& random) const {
    return settings_.slots[random.Percent(25) ? random.Below(all_)
                                              : first_ + random.Below(settings_.slots_per_thread)];
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
  Flags flags(argc, argv, "latency: duration of single malloc and free calls under slot churn");
  const LoadOptions options = ReadLoadOptions(flags, 5'000'000);
  const size_t slots = flags.Count("slots", 4000, "slots per thread");
  const size_t max_size = flags.Count("max-size", 16384, "largest block; smallest is 8");
  flags.Finish();
  LiveBytes live;
  CountedArray<std::atomic<Block*>> all(live, slots * static_cast<size_t>(options.threads));
  live.Publish();
  const Settings settings{all.begin(), slots, SizeTable::LogUniform(8, max_size)};
  const double ns_per_tick = NanosecondsPerTick();

  Report report(options);
  Crew<Churn> crew(options, report);
  crew.RunLoad([&](Worker& worker) { return Churn(settings, worker); });
  Line quantiles;
  AddQuantiles(quantiles, "malloc", all_calls.mallocs, ns_per_tick);
  AddQuantiles(quantiles, "free", all_calls.frees, ns_per_tick);
  report.PrintLoad(quantiles.text());
  crew.Clear();
  report.Rest();
  crew.Join();
  return 0;
}
