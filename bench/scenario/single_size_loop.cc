// `--batch` blocks of one `--size` are allocated and freed, again and again: the best case of every
// allocator, and the price of its hit path. One op is one malloc + free.

#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t size;
  size_t batch;
};

class Loop {
 public:
  Loop(const Settings& settings, Worker& worker)
      : settings_(settings), slots_(worker.live(), settings.batch) {}

  void Load(Worker& worker) {
    while (worker.Claim(settings_.batch)) {
      for (void*& slot : slots_) {
        slot = std::malloc(settings_.size);
        if (slot == nullptr) [[unlikely]]
          Fail("malloc returned NULL");
        std::memset(slot, 1, 1);
      }
      for (void* slot : slots_) std::free(slot);
    }
  }

  void Clear(Worker&) { slots_.Release(); }

 private:
  const Settings& settings_;
  CountedArray<void*> slots_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "single_size_loop: blocks of one size, allocated and freed in batches");
  const LoadOptions options = ReadLoadOptions(flags, 100'000'000);
  const Settings settings{flags.Count("size", 64, "bytes per block"),
                          flags.Count("batch", 100, "blocks per batch")};
  flags.Finish();
  return RunScenario<Loop>(options, [&](Worker& worker) { return Loop(settings, worker); });
}
