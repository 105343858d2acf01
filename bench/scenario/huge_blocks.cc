// Few, very large buffers of 5 to 25 MiB come and go; each page is touched once. What counts is
// whether the allocator asks the OS for zeroed pages every time, and what it keeps.
// One op is one malloc + free.

#include <algorithm>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t window;  // in all, over the threads
  SizeTable sizes;
};

class Churn {
 public:
  Churn(const Settings& settings, Worker& worker)
      : sizes_(settings.sizes),
        slots_(worker.live(),
               std::max<size_t>(1, settings.window / static_cast<size_t>(worker.threads()))) {}

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
  Flags flags(argc, argv, "huge_blocks: buffers of 5 to 25 MiB");
  const LoadOptions options = ReadLoadOptions(flags, 1'000);
  const size_t window = flags.Count("window", 16, "live blocks in all");
  const size_t min_mib = flags.Count("min-mib", 5, "smallest block");
  const size_t max_mib = flags.Count("max-mib", 25, "largest block");
  flags.Finish();
  const Settings settings{window, SizeTable::Uniform(min_mib << 20, max_mib << 20)};
  return RunScenario<Churn>(options, [&](Worker& worker) { return Churn(settings, worker); });
}
