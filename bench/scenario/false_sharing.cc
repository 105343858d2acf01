// Each thread writes to its own small object again and again; an allocator that puts objects of two
// threads on one cache line makes every write a fight for it.
//   --mode active:   threads allocate objects of their own at the same time.
//   --mode passive:  one thread allocates neighbours and gives one to each thread, which frees it
//                    and allocates again: does the allocator hand out the shared line once more?
// Pattern: E. Berger, K. McKinley, R. Blumofe and P. Wilson, "Hoard" (ASPLOS 2000).
// One op is one object: malloc, `--writes` writes, free.

#include <bit>
#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

struct Settings {
  size_t size;
  size_t writes;
  char** gifts;  // one object per thread in passive mode, else nullptr
};

class Writer {
 public:
  Writer(const Settings& settings, Worker& worker) : settings_(settings) {
    if (settings.gifts != nullptr) gift_ = settings.gifts[worker.index()];
  }

  void Load(Worker& worker) {
    if (gift_ != nullptr) Write(gift_);
    std::free(gift_);
    while (worker.Claim()) {
      auto* object = static_cast<char*>(std::malloc(settings_.size));
      if (object == nullptr) Fail("malloc returned NULL");
      Write(object);
      std::free(object);
    }
  }

  void Clear(Worker&) {}

 private:
  void Write(char* object) const {
    volatile char* byte = object;
    const size_t mask = settings_.size - 1;
    for (size_t i = 0; i < settings_.writes; ++i) byte[i & mask] = static_cast<char>(i);
    const size_t last = settings_.writes - 1;
    if (byte[last & mask] != static_cast<char>(last)) Fail("a live block was overwritten");
  }

  const Settings& settings_;
  char* gift_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "false_sharing: do objects of two threads share a cache line?");
  const LoadOptions options = ReadLoadOptions(flags, 5'000'000);
  const char* mode = flags.Text("mode", "active", "active or passive");
  Settings settings{flags.Count("size", 8, "bytes per object, a power of two"),
                    flags.Count("writes", 300, "writes per object"), nullptr};
  flags.Finish();
  if (!std::has_single_bit(settings.size)) flags.Reject("size", "", "a power of two");
  if (settings.writes == 0) flags.Reject("writes", "0", "at least 1");
  const bool passive = std::strcmp(mode, "passive") == 0;
  if (!passive && std::strcmp(mode, "active") != 0) flags.Reject("mode", mode, "active or passive");
  static char* gifts[4096];
  if (passive) {
    for (int i = 0; i < options.threads; ++i) {
      gifts[i] = static_cast<char*>(std::malloc(settings.size));
      if (gifts[i] == nullptr) Fail("malloc returned NULL");
    }
    settings.gifts = gifts;
  }
  return RunScenario<Writer>(options, [&](Worker& worker) { return Writer(settings, worker); });
}
