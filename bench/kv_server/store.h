#ifndef CMA_BENCH_KV_SERVER_STORE_H_
#define CMA_BENCH_KV_SERVER_STORE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "protocol.h"
#include "shard.h"

namespace kv {

// All keys, spread over shards so that workers seldom wait for one another.
class Store {
 public:
  explicit Store(size_t limit_bytes);

  // Carries out `request` and returns the response as it goes over the wire.
  std::string Execute(const Request& request);

  // Keys, values and bookkeeping.
  size_t bytes();

 private:
  Status Dispatch(const Request& request, std::string& out);
  Shard& ShardOf(std::string_view key);

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_STORE_H_
