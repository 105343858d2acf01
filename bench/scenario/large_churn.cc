// Every thread replaces random blocks of 64 KiB to 1 MiB and touches each page of them: buffers of
// I/O, images, tables. One op is one malloc + free.

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
  Flags flags(argc, argv, "large_churn: private random churn, blocks of 64 KiB to 1 MiB");
  const LoadOptions options = ReadLoadOptions(flags, 100'000);
  const size_t window = flags.Count("window", 32, "live blocks per thread");
  const size_t min_kib = flags.Count("min-kib", 64, "smallest block");
  const size_t max_kib = flags.Count("max-kib", 1024, "largest block");
  flags.Finish();
  const Settings settings{window, SizeTable::LogUniform(min_kib * 1024, max_kib * 1024)};
  return RunScenario<Churn>(options, [&](Worker& worker) { return Churn(settings, worker); });
}
