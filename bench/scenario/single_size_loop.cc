// `--batch` blocks of one `--size` are allocated and freed, again and again: the best case of every
// allocator, and the price of its hit path. One op is one malloc + free.

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
      for (size_t i = 0; i < slots_.size(); ++i) {
        auto* block = static_cast<unsigned char*>(std::malloc(settings_.size));
        if (block == nullptr) [[unlikely]]
          Fail("malloc returned NULL");
        *block = static_cast<unsigned char>(i);
        slots_[i] = block;
      }
      for (size_t i = 0; i < slots_.size(); ++i) {
        if (*slots_[i] != static_cast<unsigned char>(i)) [[unlikely]]
          Fail("a live block was overwritten");
        std::free(slots_[i]);
      }
    }
  }

  void Clear(Worker&) { slots_.Release(); }

 private:
  const Settings& settings_;
  CountedArray<unsigned char*> slots_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "single_size_loop: blocks of one size, allocated and freed in batches");
  const LoadOptions options = ReadLoadOptions(flags, 100'000'000);
  const Settings settings{flags.Count("size", 64, "bytes per block"),
                          flags.Count("batch", 100, "blocks per batch")};
  flags.Finish();
  if (settings.size == 0 || settings.batch == 0)
    flags.Reject("size", "0", "at least 1, and --batch");
  return RunScenario<Loop>(options, [&](Worker& worker) { return Loop(settings, worker); });
}
