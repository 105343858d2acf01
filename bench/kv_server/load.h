#ifndef CMA_BENCH_KV_SERVER_LOAD_H_
#define CMA_BENCH_KV_SERVER_LOAD_H_

#include <cstdint>

#include "options.h"
#include "server.h"

namespace kv {

struct LoadResult {
  uint64_t operations = 0;
  uint64_t damaged = 0;  // responses with a value that nobody stored
  double seconds = 0;
};

// Runs the client threads to the end of the load, and ends them.
LoadResult RunLoad(const Options& options, Server& server);

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_LOAD_H_
