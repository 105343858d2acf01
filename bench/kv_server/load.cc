#include "load.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>
#include <vector>

#include "client.h"
#include "workload.h"

namespace kv {
namespace {

// So that a client thread has requests with several workers at once.
constexpr size_t kConnectionsPerClient = 4;

// What one client thread does. `operations` 0: until `stop`.
LoadResult RunClient(const Options& options, uint64_t index, Server& server,
                     const std::atomic<bool>& stop) {
  Workload workload(options.seed * 0x100000001b3u + index, options.keys);
  std::deque<Client> clients;
  for (size_t i = 0; i < kConnectionsPerClient; ++i) clients.emplace_back(server);

  LoadResult result;
  const uint64_t enough = options.operations / options.threads;
  while (!stop.load(std::memory_order_relaxed) &&
         (options.operations == 0 || result.operations < enough)) {
    for (Client& client : clients) client.SendBatch(workload);
    for (Client& client : clients) result.operations += client.ReceiveBatch();
  }
  for (const Client& client : clients) result.damaged += client.damaged();
  return result;
}

}  // namespace

LoadResult RunLoad(const Options& options, Server& server) {
  std::atomic<bool> stop{false};
  std::vector<LoadResult> results(options.threads);
  std::vector<std::thread> threads;
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < options.threads; ++i) {
    threads.emplace_back([&, i] { results[i] = RunClient(options, i, server, stop); });
  }
  if (options.operations == 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
    stop.store(true, std::memory_order_relaxed);
  }
  for (std::thread& thread : threads) thread.join();

  LoadResult total;
  total.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const LoadResult& result : results) {
    total.operations += result.operations;
    total.damaged += result.damaged;
  }
  return total;
}

}  // namespace kv
