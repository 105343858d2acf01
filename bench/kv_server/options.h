#ifndef CMA_BENCH_KV_SERVER_OPTIONS_H_
#define CMA_BENCH_KV_SERVER_OPTIONS_H_

#include <cstddef>
#include <cstdint>

namespace kv {

struct Options {
  size_t threads;
  double seconds;
  uint64_t operations;
  double rest_seconds;
  uint64_t seed;
  size_t limit_mib;
  size_t keys;
};

// Ends the program on --help and on flags that it does not have.
Options ReadOptions(int argc, char** argv);

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_OPTIONS_H_
