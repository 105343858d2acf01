#include "stats/stats.h"

#include "cache/cache_lifecycle.h"
#include "os/os_output.h"
#include "stats/formats.h"

namespace cma {
namespace {

// CMA_OPTIONS=stats=text. Here, where every program that allocates links it from an archive.
[[gnu::destructor]] void PrintAtExit() {
  // The heap of a process that never allocated is not set up for nothing, under valgrind neither.
  if (!HeapIsReady() && OsEnvironment("CMA_OPTIONS") == nullptr) return;
  EnsureHeap();
  const auto format = static_cast<StatsFormat>(uint64_t{g_options.stats});
  if (format != StatsFormat::kOff) PrintStats(OsKeptErrors(), format);
}

}  // namespace

void WriteStats(StatsFormat format, const Sink& sink) {
  if (format == StatsFormat::kOff) return;
  const Snapshot snapshot;
  switch (format) {
    case StatsFormat::kJson:
      return WriteJson(snapshot, sink);
    case StatsFormat::kPrometheus:
      return WritePrometheus(snapshot, sink);
    default:
      return WriteText(snapshot, sink);
  }
}

int PrintStats(int fd, StatsFormat format) {
  struct Output {
    int fd;
    int error;
  } output = {fd, 0};
  const auto write = [](void* context, const char* text, size_t bytes) {
    auto& to = *static_cast<Output*>(context);
    if (to.error == 0) to.error = OsWrite(to.fd, text, bytes);
  };
  WriteStats(format, {write, &output});
  return output.error;
}

}  // namespace cma
