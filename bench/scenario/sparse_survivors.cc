// Phases of growing block sizes; of each phase 1 block in 16 survives to the end. Survivors pin
// almost every page of the phase, and the next size cannot use what lies between them. The report
// gives the peak RSS over the peak live bytes, and at rest RSS over the survivors' bytes: what one
// byte of survivor really costs. One op is one malloc (+ free).

#include <algorithm>
#include <cmath>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t phase_bytes;  // per thread
  size_t phases;
  size_t min_size;
  size_t max_size;
  size_t keep_one_in;
  bool repeat;  // until the time is over
};

// A chain of survivors needs no memory of its own.
struct Survivor {
  Block block;
  Survivor* next;
};

class Phases {
 public:
  explicit Phases(const Settings& settings) : settings_(settings) {}

  void Load(Worker& worker) {
    for (size_t phase = 0; RunPhase(worker, SizeOf(phase)); ++phase) {
      if (phase + 1 < settings_.phases) continue;
      if (!settings_.repeat) return;
      Clear(worker);
      phase = SIZE_MAX;  // and the story begins anew
    }
  }

  void Clear(Worker& worker) {
    while (survivors_ != nullptr) {
      Survivor* next = survivors_->next;
      FreeBlock(worker.live(), &survivors_->block);
      survivors_ = next;
    }
  }

 private:
  size_t SizeOf(size_t phase) const {
    const double ratio =
        static_cast<double>(settings_.max_size) / static_cast<double>(settings_.min_size);
    const double step = settings_.phases > 1
                            ? static_cast<double>(phase) / static_cast<double>(settings_.phases - 1)
                            : 0;
    return static_cast<size_t>(static_cast<double>(settings_.min_size) * std::pow(ratio, step));
  }

  // Fills the phase with blocks of `size`, then frees all but one in `keep_one_in`.
  bool RunPhase(Worker& worker, size_t size) {
    const size_t count = std::max<size_t>(settings_.phase_bytes / size, 1);
    if (!worker.Claim(count)) return false;
    Survivor* filled = nullptr;
    for (size_t i = 0; i < count; ++i) {
      auto* fresh = reinterpret_cast<Survivor*>(NewBlock(worker.live(), size));
      fresh->next = filled;
      filled = fresh;
    }
    for (size_t i = 0; filled != nullptr; ++i) {
      Survivor* next = filled->next;
      if (i % settings_.keep_one_in == 0) {
        filled->next = survivors_;
        survivors_ = filled;
      } else {
        FreeBlock(worker.live(), &filled->block);
      }
      filled = next;
    }
    return true;
  }

  const Settings& settings_;
  Survivor* survivors_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "sparse_survivors: growing sizes, few survivors of each phase");
  const LoadOptions options = ReadLoadOptions(flags, 0);
  const size_t phase_mib = flags.Count("phase-mib", 32, "bytes per phase, over all threads");
  const size_t phases = flags.Count("phases", 10, "phases, each with larger blocks");
  const size_t min_size = flags.Count("min-size", 32, "block size of the first phase");
  const size_t max_size = flags.Count("max-size", 8192, "block size of the last phase");
  const size_t keep = flags.Count("keep-one-in", 16, "one block in so many survives");
  flags.Finish();
  if (min_size < sizeof(Survivor) || max_size < min_size || keep == 0) {
    flags.Reject("min-size", "", "16 <= min-size <= max-size and keep-one-in >= 1");
  }
  const size_t per_thread = (phase_mib << 20) / static_cast<size_t>(options.threads);
  const Settings settings{per_thread, phases, min_size, max_size, keep, options.seconds > 0};
  Report report(options);
  Crew<Phases> crew(options, report);
  crew.RunLoad([&](Worker&) { return Phases(settings); });
  report.PrintLoad();
  report.Rest();  // with the survivors
  crew.Clear();
  crew.Join();
  return 0;
}
