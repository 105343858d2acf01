// Hours of a server's life in a minute: epochs whose typical block size drifts. Within an epoch
// blocks come and go; at its end 5 % of them survive for many epochs, scattered over the pages that
// the others leave. What the next epoch needs rarely fits the holes.
// One op is one malloc + free. The report's rss_over_live is the figure to read.

#include <algorithm>
#include <cmath>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t epoch_bytes;    // live per thread at the height of an epoch
  size_t churn_percent;  // replacements per epoch, in percent of its blocks
  size_t epochs;
  size_t survive_epochs;
};

constexpr size_t kSurvivePercent = 5;

// The blocks of one epoch, in the order of their birth.
struct Epoch {
  Block** blocks = nullptr;
  size_t count = 0;
};

class Ager {
 public:
  Ager(const Settings& settings, Worker& worker)
      : settings_(settings), old_(worker.live(), settings.survive_epochs) {}

  void Load(Worker& worker) {
    for (size_t number = 0; number < settings_.epochs; ++number) {
      if (!RunEpoch(worker, number)) return;
    }
  }

  void Clear(Worker& worker) {
    for (Epoch& epoch : old_) Bury(worker.live(), epoch);
    old_.Release();
  }

 private:
  // One epoch; false when the load is over.
  bool RunEpoch(Worker& worker, size_t number) {
    const size_t typical = TypicalBytes(number);
    Epoch& epoch = old_[number % old_.size()];
    Bury(worker.live(), epoch);
    const size_t count = settings_.epoch_bytes / typical;
    const size_t replacements = count * settings_.churn_percent / 100;
    if (!worker.Claim(count + replacements)) return false;
    epoch.count = count;
    epoch.blocks = static_cast<Block**>(std::calloc(count, sizeof(Block*)));
    if (epoch.blocks == nullptr) Fail("calloc returned NULL");
    worker.live().Add(count * sizeof(Block*));
    for (size_t i = 0; i < count; ++i) epoch.blocks[i] = NewOne(worker, typical);
    for (size_t i = 0; i < replacements; ++i) {
      Block*& block = epoch.blocks[worker.random().Below(count)];
      FreeBlock(worker.live(), block);
      block = NewOne(worker, typical);
    }
    Thin(worker, epoch);
    return true;
  }

  // From 48 B to 7 KiB and back within 24 epochs, on a logarithmic scale.
  static size_t TypicalBytes(size_t number) {
    const double turn = static_cast<double>(number % 24) / 24 * 2 * 3.14159265;
    return static_cast<size_t>(std::exp2(9.2 - 3.6 * std::cos(turn)));
  }

  // Half to one and a half times the typical size.
  static Block* NewOne(Worker& worker, size_t typical) {
    const size_t bytes = typical / 2 + worker.random().Below(typical);
    return NewBlock(worker.live(), std::max(bytes, sizeof(Block)));
  }

  // Frees all but the survivors and keeps those in an array of their own.
  static void Thin(Worker& worker, Epoch& epoch) {
    size_t kept = 0;
    for (size_t i = 0; i < epoch.count; ++i) {
      Block* block = epoch.blocks[i];
      if (worker.random().Percent(kSurvivePercent)) {
        epoch.blocks[kept++] = block;
      } else {
        FreeBlock(worker.live(), block);
      }
    }
    auto* shrunk = static_cast<Block**>(std::realloc(epoch.blocks, (kept + 1) * sizeof(Block*)));
    if (shrunk == nullptr) Fail("realloc returned NULL");
    worker.live().Subtract(epoch.count * sizeof(Block*));
    worker.live().Add((kept + 1) * sizeof(Block*));
    epoch.blocks = shrunk;
    epoch.count = kept;
  }

  static void Bury(LiveBytes& live, Epoch& epoch) {
    if (epoch.blocks == nullptr) return;
    for (size_t i = 0; i < epoch.count; ++i) FreeBlock(live, epoch.blocks[i]);
    live.Subtract((epoch.count + 1) * sizeof(Block*));
    std::free(epoch.blocks);
    epoch = Epoch{};
  }

  const Settings& settings_;
  CountedArray<Epoch> old_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "fragmentation_ager: block sizes drift, 5 % survive each epoch");
  const LoadOptions options = ReadLoadOptions(flags, 0);
  const size_t epoch_mib = flags.Count("epoch-mib", 16, "live per epoch, over all threads");
  const size_t churn = flags.Count("churn-percent", 100, "replacements, in percent of the blocks");
  const size_t epochs =
      flags.Count("epochs", 48, "epochs, unless --seconds decides; sizes go round in 24");
  const size_t survive = flags.Count("survive-epochs", 24, "epochs that survivors live");
  flags.Finish();
  const size_t per_thread = (epoch_mib << 20) / static_cast<size_t>(options.threads);
  const Settings settings{std::max<size_t>(per_thread, 1 << 20), churn,
                          options.seconds > 0 ? SIZE_MAX : epochs, survive};
  Report report(options);
  Crew<Ager> crew(options, report);
  crew.RunLoad([&](Worker& worker) { return Ager(settings, worker); });
  report.PrintLoad();
  report.Rest();  // the survivors stay: what is their company?
  crew.Clear();
  crew.Join();
  return 0;
}
