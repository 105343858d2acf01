// Phase after phase of short-lived threads. A thread fills a shelf with objects, frees the shelf
// that another thread of the phase before left behind, and dies: its objects outlive it.
// One op is one malloc + free.

#include <vector>

#include "harness.h"

namespace {

using namespace scenario;

// The objects that one thread of one phase left behind.
struct Shelf {
  Block** blocks = nullptr;
  size_t count = 0;
};

Shelf Fill(Random& random, LiveBytes& live, const SizeTable& sizes, size_t count) {
  Shelf shelf{static_cast<Block**>(std::malloc(count * sizeof(Block*))), count};
  if (shelf.blocks == nullptr) Fail("malloc returned NULL");
  for (size_t i = 0; i < count; ++i) shelf.blocks[i] = NewBlock(live, sizes.Pick(random));
  return shelf;
}

void Empty(LiveBytes& live, Shelf& shelf) {
  for (size_t i = 0; i < shelf.count; ++i) FreeBlock(live, shelf.blocks[i]);
  std::free(shelf.blocks);
  shelf = Shelf{};
}

struct Settings {
  LoadOptions options;
  size_t objects;
  SizeTable sizes;
};

// Runs one phase: thread t empties shelf t + 1 of the phase before and fills its own.
void RunPhase(const Settings& settings, uint64_t phase, std::vector<Shelf>& shelves) {
  const auto width = static_cast<size_t>(settings.options.threads);
  std::vector<Shelf> next(width);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < width; ++t) {
    threads.emplace_back([&, t] {
      Random random(settings.options.seed * 0x100000001b3u + phase * 4099 + t);
      LiveBytes live;
      next[t] = Fill(random, live, settings.sizes, settings.objects);
      Empty(live, shelves[(t + 1) % width]);
      live.Publish();
    });
  }
  for (std::thread& thread : threads) thread.join();
  shelves.swap(next);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "thread_phases: threads die, their objects survive them");
  LoadOptions options = ReadLoadOptions(flags, 8'000'000);
  const size_t objects = flags.Count("objects", 20'000, "objects per thread and phase");
  const size_t max_size = flags.Count("max-size", 2048, "largest object; smallest is 16");
  flags.Finish();
  const Settings settings{options, objects, SizeTable::LogUniform(16, max_size)};

  Report report(options);
  std::vector<Shelf> shelves(static_cast<size_t>(options.threads));
  const uint64_t ops_per_phase = objects * shelves.size();
  const double start = Now();
  report.LoadStarts();
  uint64_t ops = 0;
  const auto more = [&] {
    if (options.seconds > 0 && Now() - start >= options.seconds) return false;
    return options.ops == 0 || ops < options.ops;
  };
  for (uint64_t phase = 0; more(); ++phase, ops += ops_per_phase)
    RunPhase(settings, phase, shelves);
  report.LoadEnds(ops);
  report.PrintLoad();

  LiveBytes live;
  for (Shelf& shelf : shelves) Empty(live, shelf);
  live.Publish();
  report.Rest();
  return 0;
}
