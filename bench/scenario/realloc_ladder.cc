// Buffers that grow by realloc.
//   --mode ladder:  each thread grows several strings or vectors side by side, by half or by a few
//                   bytes at a time, from 16 B to 1 MiB, and starts over. One op is one realloc.
//   --mode grow:    one buffer grows in steps of 1 MiB to --max-mib: does the peak stay at the live
//                   bytes, or is every step a copy beside the original?
// The content is checked.

#include <cstring>

#include "harness.h"

namespace {

using namespace scenario;

constexpr size_t kFirstBytes = 16;

// A buffer whose first and last byte are known.
class Buffer {
 public:
  size_t bytes() const { return bytes_; }

  void GrowTo(LiveBytes& live, size_t bytes) {
    auto* grown = static_cast<unsigned char*>(std::realloc(data_, bytes));
    if (grown == nullptr) Fail("realloc returned NULL");
    if (bytes_ != 0 && (grown[0] != kMark || grown[bytes_ - 1] != kMark)) {
      Fail("realloc lost the content");
    }
    for (size_t at = bytes_; at < bytes; at += 4096) grown[at] = 1;
    grown[0] = grown[bytes - 1] = kMark;
    live.Add(bytes - bytes_);
    data_ = grown;
    bytes_ = bytes;
  }

  void Drop(LiveBytes& live) {
    live.Subtract(bytes_);
    std::free(data_);
    data_ = nullptr;
    bytes_ = 0;
  }

 private:
  static constexpr unsigned char kMark = 0xa7;

  unsigned char* data_ = nullptr;
  size_t bytes_ = 0;
};

struct Settings {
  size_t buffers;
  size_t max_bytes;
};

class Ladder {
 public:
  Ladder(const Settings& settings, Worker& worker)
      : settings_(settings), buffers_(worker.live(), settings.buffers) {}

  void Load(Worker& worker) {
    while (worker.Claim()) Step(worker, buffers_[worker.random().Below(buffers_.size())]);
  }

  void Clear(Worker& worker) {
    for (Buffer& buffer : buffers_) buffer.Drop(worker.live());
    buffers_.Release();
  }

 private:
  // Three steps in four append a little (a string), the fourth adds half (a vector).
  void Step(Worker& worker, Buffer& buffer) const {
    const size_t have = buffer.bytes();
    if (have >= settings_.max_bytes) {
      buffer.Drop(worker.live());
    } else if (have == 0) {
      buffer.GrowTo(worker.live(), kFirstBytes);
    } else if (worker.random().Percent(25)) {
      buffer.GrowTo(worker.live(), have + have / 2);
    } else {
      buffer.GrowTo(worker.live(), have + worker.random().Between(1, 64));
    }
  }

  const Settings& settings_;
  CountedArray<Buffer> buffers_;
};

class Growth {
 public:
  explicit Growth(const Settings& settings) : max_bytes_(settings.max_bytes) {}

  void Load(Worker& worker) {
    while (buffer_.bytes() < max_bytes_ && worker.Claim()) {
      buffer_.GrowTo(worker.live(), buffer_.bytes() + kStep);
    }
  }

  void Clear(Worker& worker) { buffer_.Drop(worker.live()); }

 private:
  static constexpr size_t kStep = 1 << 20;

  const size_t max_bytes_;
  Buffer buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "realloc_ladder: buffers that grow by realloc");
  const LoadOptions options = ReadLoadOptions(flags, 500'000);
  const char* mode = flags.Text("mode", "ladder", "ladder or grow");
  const size_t buffers = flags.Count("buffers", 32, "buffers per thread (ladder)");
  const size_t max_mib = flags.Count("max-mib", 256, "final size (grow)");
  flags.Finish();
  if (std::strcmp(mode, "grow") == 0) {
    const Settings settings{1, max_mib << 20};
    return RunScenario<Growth>(options, [&](Worker&) { return Growth(settings); });
  }
  if (std::strcmp(mode, "ladder") != 0) flags.Reject("mode", mode, "ladder or grow");
  const Settings settings{buffers, 1 << 20};
  return RunScenario<Ladder>(options, [&](Worker& worker) { return Ladder(settings, worker); });
}
