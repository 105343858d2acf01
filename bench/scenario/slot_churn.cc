// Threads replace random blocks of 8 B to 16 KiB. Most replacements hit the thread's own slots,
// `--cross-percent` of them any slot of the process: then a block is freed that another thread
// allocated. One op is one malloc + free.

#include <atomic>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  std::atomic<Block*>* slots;  // slots_per_thread for each thread, one after the other
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
      Block* fresh = NewBlock(worker.live(), settings_.sizes.Pick(worker.random()));
      // Acquire and release: the block's header was written by the thread that put it there.
      Block* old = Slot(worker.random()).exchange(fresh, std::memory_order_acq_rel);
      FreeBlock(worker.live(), old);
    }
  }

  void Clear(Worker& worker) {
    for (size_t i = first_; i < first_ + settings_.slots_per_thread; ++i) {
      FreeBlock(worker.live(), settings_.slots[i].exchange(nullptr));
    }
  }

 private:
  std::atomic<Block*>& Slot(Random& random) const {
    const bool anywhere = random.Percent(settings_.cross_percent);
    return settings_
        .slots[anywhere ? random.Below(all_) : first_ + random.Below(settings_.slots_per_thread)];
  }

  const Settings& settings_;
  const size_t first_;
  const size_t all_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "slot_churn: random slots, 8 B to 16 KiB, freed by any thread");
  const LoadOptions options = ReadLoadOptions(flags, 10'000'000);
  const size_t slots = flags.Count("slots", 4000, "slots per thread");
  const size_t cross = flags.Count("cross-percent", 25, "replacements in slots of any thread");
  const size_t max_size = flags.Count("max-size", 16384, "largest block; smallest is 8");
  flags.Finish();
  LiveBytes live;
  CountedArray<std::atomic<Block*>> all(live, slots * static_cast<size_t>(options.threads));
  live.Publish();
  const Settings settings{all.begin(), slots, cross, SizeTable::LogUniform(8, max_size)};
  return RunScenario<Churn>(options, [&](Worker& worker) { return Churn(settings, worker); });
}
