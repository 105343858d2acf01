// Batches of small blocks (16 to 1,000 B, small ones frequent) that are freed in first-in
// first-out, last-in first-out, interleaved and random order in turn. The orders that a free list
// likes and dislikes. `--order` picks one of them. One op is one malloc + free.

#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

enum Order { kFifo, kLifo, kInterleaved, kShuffled, kOrders };
constexpr const char* kOrderNames[kOrders] = {"fifo", "lifo", "interleaved", "random"};

struct Settings {
  size_t batch;
  int only;  // an Order, or kOrders: all in turn
  SizeTable sizes;
};

class Batches {
 public:
  Batches(const Settings& settings, Worker& worker)
      : settings_(settings),
        slots_(worker.live(), settings.batch),
        shuffled_(worker.live(), settings.batch) {
    Shuffle(worker.random());
  }

  void Load(Worker& worker) {
    for (int round = 0; worker.Claim(settings_.batch); ++round) {
      for (Block*& slot : slots_) {
        slot = NewBlock(worker.live(), settings_.sizes.Pick(worker.random()));
      }
      FreeInOrder(worker.live(), settings_.only == kOrders ? round % kOrders : settings_.only);
    }
  }

  void Clear(Worker&) {
    slots_.Release();
    shuffled_.Release();
  }

 private:
  void Shuffle(Random& random) {
    for (size_t i = 0; i < shuffled_.size(); ++i) {
      const size_t j = random.Below(i + 1);
      shuffled_[i] = shuffled_[j];
      shuffled_[j] = static_cast<uint32_t>(i);
    }
  }

  void FreeInOrder(LiveBytes& live, int order) {
    const size_t count = slots_.size();
    switch (order) {
      case kFifo:
        for (size_t i = 0; i < count; ++i) FreeBlock(live, slots_[i]);
        return;
      case kLifo:
        for (size_t i = count; i > 0; --i) FreeBlock(live, slots_[i - 1]);
        return;
      case kInterleaved:
        for (size_t i = 0; i < count; i += 2) FreeBlock(live, slots_[i]);
        for (size_t i = 1; i < count; i += 2) FreeBlock(live, slots_[i]);
        return;
      default:
        for (uint32_t i : shuffled_) FreeBlock(live, slots_[i]);
        return;
    }
  }

  const Settings& settings_;
  Slots slots_;
  CountedArray<uint32_t> shuffled_;
};

int OrderNamed(Flags& flags, const char* name) {
  if (std::strcmp(name, "all") == 0) return kOrders;
  for (int order = 0; order < kOrders; ++order) {
    if (std::strcmp(name, kOrderNames[order]) == 0) return order;
  }
  flags.Reject("order", name, "fifo, lifo, interleaved, random or all");
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "batch_order: batches freed in several orders");
  const LoadOptions options = ReadLoadOptions(flags, 20'000'000);
  const size_t batch = flags.Count("batch", 10'000, "blocks per batch");
  const int only = OrderNamed(flags, flags.Text("order", "all", "order of the frees"));
  flags.Finish();
  const Settings settings{batch, only, SizeTable::Pareto(16, 1000, 0.6)};
  return RunScenario<Batches>(options, [&](Worker& worker) { return Batches(settings, worker); });
}
