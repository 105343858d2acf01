// A steady state: random blocks of 16 B to 16 KiB replace each other while about --live-mib stay
// live. The report's rss_over_live tells what the allocator adds: rounding, headers, holes, caches.
// One op is one malloc + free.

#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t slots;
  SizeTable sizes;
};

class Steady {
 public:
  Steady(const Settings& settings, Worker& worker)
      : sizes_(settings.sizes), slots_(worker.live(), settings.slots) {
    for (Block*& slot : slots_) slot = NewBlock(worker.live(), sizes_.Pick(worker.random()));
  }

  void Load(Worker& worker) {
    while (worker.Claim()) {
      Block*& slot = slots_[worker.random().Below(slots_.size())];
      FreeBlock(worker.live(), slot);
      slot = NewBlock(worker.live(), sizes_.Pick(worker.random()));
    }
  }

  void Clear(Worker& worker) {
    FreeAll(worker.live(), slots_);
    slots_.Release();
  }

 private:
  const SizeTable& sizes_;
  Slots slots_;
};

SizeTable SizesNamed(Flags& flags, const char* name, size_t low, size_t high) {
  if (std::strcmp(name, "uniform") == 0) return SizeTable::Uniform(low, high);
  if (std::strcmp(name, "log") == 0) return SizeTable::LogUniform(low, high);
  flags.Reject("distribution", name, "uniform or log");
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "steady_random: steady random sizes, memory over live bytes");
  const LoadOptions options = ReadLoadOptions(flags, 2'000'000);
  const size_t live_mib = flags.Count("live-mib", 200, "live bytes, over all threads");
  const char* distribution = flags.Text("distribution", "log", "uniform or log");
  const size_t max_size = flags.Count("max-size", 16384, "largest block; smallest is 16");
  flags.Finish();
  const SizeTable sizes = SizesNamed(flags, distribution, 16, max_size);
  const double blocks = static_cast<double>(live_mib << 20) / sizes.Mean();
  const Settings settings{static_cast<size_t>(blocks) / static_cast<size_t>(options.threads) + 1,
                          sizes};
  return RunScenario<Steady>(options, [&](Worker& worker) { return Steady(settings, worker); });
}
