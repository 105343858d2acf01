// A thousand threads that sleep and hold 1 MiB between them: what does an idle thread cost?
// rss_per_thread_kib is everything (stack and thread block included), malloc_kib_per_thread what
// was added by the allocations alone. --churn-kib lets each thread allocate and free that much
// first, as real threads did before they went idle. One op is one block held.

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t blocks;
  size_t block_size;
  size_t churn_bytes;
};

class Sleeper {
 public:
  explicit Sleeper(const Settings& settings) : settings_(settings) {}

  void Load(Worker& worker) {
    ChurnOnce(worker);
    for (size_t i = 0; i < settings_.blocks && worker.Claim(); ++i) {
      held_[i] = NewBlock(worker.live(), settings_.block_size);
    }
  }

  void Clear(Worker& worker) {
    for (Block*& block : held_) {
      FreeBlock(worker.live(), block);
      block = nullptr;
    }
  }

  static constexpr size_t kMaxBlocks = 64;

 private:
  // A working set of 64 blocks of mixed size, until `churn_bytes` have gone through it.
  void ChurnOnce(Worker& worker) {
    Block* set[64] = {};
    size_t done = 0;
    while (done < settings_.churn_bytes) {
      const size_t bytes = worker.random().Between(16, 1024);
      Block*& slot = set[worker.random().Below(64)];
      FreeBlock(worker.live(), slot);
      slot = NewBlock(worker.live(), bytes);
      done += bytes;
    }
    for (Block* block : set) FreeBlock(worker.live(), block);
  }

  const Settings& settings_;
  Block* held_[kMaxBlocks] = {};
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "idle_threads: memory of threads that hold a little and sleep");
  LoadOptions options = ReadLoadOptions(flags, 0);
  const size_t threads = flags.Count("idle-threads", 1000, "threads, if --threads is 1");
  const size_t size = flags.Count("size", 128, "bytes per block");
  const size_t per_thread = flags.Count("bytes-per-thread", 1024, "bytes each thread holds");
  const size_t churn_kib = flags.Count("churn-kib", 0, "allocated and freed before by each thread");
  flags.Finish();
  const Settings settings{per_thread / size, size, churn_kib * 1024};
  if (settings.blocks < 1 || settings.blocks > Sleeper::kMaxBlocks) {
    flags.Reject("bytes-per-thread", "", "1 to 64 blocks of --size");
  }
  if (options.threads == 1) options.threads = static_cast<int>(threads);
  options.seconds = 0;

  Report report(options);
  Crew<Sleeper> crew(options, report);
  crew.RunLoad([&](Worker&) { return Sleeper(settings); });
  const uint64_t now = RssKib();
  const auto per = [&](uint64_t from) {
    return static_cast<double>(now - from) / static_cast<double>(options.threads);
  };
  Line extra;
  extra.Add("rss_per_thread_kib=%.3f malloc_kib_per_thread=%.3f", per(report.base_rss_kib()),
            per(report.ready_rss_kib()));
  report.PrintLoad(extra.text());
  report.Rest();
  crew.Clear();
  crew.Join();
  return 0;
}
