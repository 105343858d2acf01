// Every thread replaces random blocks of its own window; sizes are Pareto-distributed, as in most
// programs: nearly all small, a few up to 8 KiB. Nothing is shared. One op is one malloc + free.

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t window;
  SizeTable sizes;
};

class Churn {
 public:
  Churn(const Settings& settings, Worker& worker)
      : sizes_(settings.sizes), slots_(worker.live(), settings.window) {}

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

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "thread_local_churn: private random churn, Pareto sizes 16 B to 8 KiB");
  const LoadOptions options = ReadLoadOptions(flags, 20'000'000);
  const Settings settings{flags.Count("window", 1000, "live blocks per thread"),
                          SizeTable::Pareto(16, 8192, 1.1)};
  flags.Finish();
  return RunScenario<Churn>(options, [&](Worker& worker) { return Churn(settings, worker); });
}
