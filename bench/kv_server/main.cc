// A workload as a user meets it: a server whose worker threads parse requests, keep a bounded store
// of values of all sizes, and answer; and client threads that ask. It uses plain new and delete,
// so whatever malloc it is started with serves it.
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "client.h"
#include "load.h"
#include "options.h"
#include "scenario/memory_use.h"
#include "server.h"

namespace kv {
namespace {

// What survives when the store is cleared: one entry in so many, spread over all of the memory.
constexpr uint32_t kKeepOneIn = 100;

uint64_t Kib(size_t bytes) { return bytes / 1024; }

int Main(const Options& options) {
  Server server(options.threads, options.limit_mib * 1024 * 1024);
  const LoadResult load = RunLoad(options, server);
  const uint64_t peak_rss_kib = scenario::PeakRssKib();
  const uint64_t rss_load_end_kib = scenario::RssKib();
  const size_t stored_load_end = server.stored_bytes();

  Client(server).ClearStore(kKeepOneIn);
  std::this_thread::sleep_for(std::chrono::duration<double>(options.rest_seconds));
  const uint64_t rss_rest_kib = scenario::RssKib();

  std::printf("ops_per_second=%.0f peak_rss_kib=%" PRIu64 " rss_load_end_kib=%" PRIu64
              " rss_rest_kib=%" PRIu64 " stored_load_end_kib=%" PRIu64 " stored_rest_kib=%" PRIu64
              " ops=%" PRIu64 " seconds=%.3f\n",
              static_cast<double>(load.operations) / load.seconds, peak_rss_kib, rss_load_end_kib,
              rss_rest_kib, Kib(stored_load_end), Kib(server.stored_bytes()), load.operations,
              load.seconds);
  if (load.damaged == 0) return 0;
  std::fprintf(stderr, "kv_server: %" PRIu64 " values came back damaged\n", load.damaged);
  return 1;
}

}  // namespace
}  // namespace kv

int main(int argc, char** argv) { return kv::Main(kv::ReadOptions(argc, argv)); }
