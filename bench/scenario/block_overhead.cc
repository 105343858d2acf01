// Many blocks of one size, all written: rss_over_live is what a block costs over what was asked
// for. One op is one malloc.

#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t size;
  size_t blocks;  // per thread
};

struct Chain {
  Chain* next;
};

class Fill {
 public:
  explicit Fill(const Settings& settings) : settings_(settings) {}

  void Load(Worker& worker) {
    for (size_t i = 0; i < settings_.blocks && worker.Claim(); ++i) {
      auto* fresh = static_cast<Chain*>(std::malloc(settings_.size));
      if (fresh == nullptr) Fail("malloc returned NULL");
      std::memset(static_cast<void*>(fresh), 1, settings_.size);
      worker.live().Add(settings_.size);
      fresh->next = chain_;
      chain_ = fresh;
    }
  }

  void Clear(Worker& worker) {
    while (chain_ != nullptr) {
      Chain* next = chain_->next;
      const char last = reinterpret_cast<const char*>(chain_)[settings_.size - 1];
      if (settings_.size > sizeof(Chain) && last != 1) Fail("a live block was overwritten");
      std::free(chain_);
      worker.live().Subtract(settings_.size);
      chain_ = next;
    }
  }

 private:
  const Settings& settings_;
  Chain* chain_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "block_overhead: what a block costs over its size");
  const LoadOptions options = ReadLoadOptions(flags, 0);
  const size_t size = flags.Count("size", 520, "bytes per block, at least 8");
  const size_t mib = flags.Count("live-mib", 200, "bytes of blocks, over all threads");
  flags.Finish();
  if (size < sizeof(Chain)) flags.Reject("size", "", "at least 8");
  const size_t per_thread = (mib << 20) / size / static_cast<size_t>(options.threads);
  const Settings settings{size, per_thread};
  return RunScenario<Fill>(options, [&](Worker&) { return Fill(settings); });
}
