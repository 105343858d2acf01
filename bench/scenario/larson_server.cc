// A server whose threads replace random blocks of the requests they hold, and end after a while:
// the successor inherits the blocks, so memory bleeds from thread to thread.
// Pattern: P. Larson and M. Krishnan, "Memory Allocation for Long-Running Server Applications"
// (ISMM 1998). One op is one malloc + free.

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t slots;
  uint64_t generation_ops;
  SizeTable sizes;
};

// A line of threads that inherit one another's blocks. The harness thread only starts the next
// generation when the last one is gone.
class Lane {
 public:
  Lane(const Settings& settings, Worker& worker)
      : settings_(settings), slots_(worker.live(), settings.slots) {
    for (Block*& slot : slots_) slot = NewBlock(worker.live(), Size(worker));
  }

  void Load(Worker& worker) {
    bool more = true;
    while (more) {
      std::thread generation([&] { more = Serve(worker); });
      generation.join();
    }
  }

  void Clear(Worker& worker) {
    FreeAll(worker.live(), slots_);
    slots_.Release();
  }

 private:
  size_t Size(Worker& worker) const { return settings_.sizes.Pick(worker.random()); }

  // One generation; false when the load is over.
  bool Serve(Worker& worker) {
    for (uint64_t i = 0; i < settings_.generation_ops; ++i) {
      if (!worker.Claim()) return false;
      Block*& slot = slots_[worker.random().Below(slots_.size())];
      FreeBlock(worker.live(), slot);
      slot = NewBlock(worker.live(), Size(worker));
    }
    return true;
  }

  const Settings& settings_;
  Slots slots_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "larson_server: threads end and hand their blocks to a successor");
  const LoadOptions options = ReadLoadOptions(flags, 20'000'000);
  const size_t slots = flags.Count("slots", 5000, "blocks per thread");
  const size_t min_size = flags.Count("min-size", 8, "smallest block");
  const size_t max_size = flags.Count("max-size", 1000, "largest block");
  const uint64_t generation = flags.Count("generation-ops", 100'000, "operations per thread life");
  flags.Finish();
  const Settings settings{slots, generation, SizeTable::Uniform(min_size, max_size)};
  return RunScenario<Lane>(options, [&](Worker& worker) { return Lane(settings, worker); });
}
