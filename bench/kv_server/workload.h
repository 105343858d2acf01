// What a client asks for: a stream of requests that depends on the seed alone.
#ifndef CMA_BENCH_KV_SERVER_WORKLOAD_H_
#define CMA_BENCH_KV_SERVER_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol.h"
#include "scenario/random.h"

namespace kv {

class Workload {
 public:
  Workload(uint64_t seed, size_t keys);

  // Requests in the next batch.
  size_t NextBatchSize();

  // Appends the next request to `out`. The id lets IsIntact() recognise the value of its response.
  void AppendNext(std::string& out);

  // True if `value` begins and ends with what the writers of the key with this id put there.
  static bool IsIntact(std::string_view value, uint32_t id);

 private:
  Opcode PickOpcode();
  uint32_t PickKey();
  size_t PickValueBytes(Opcode opcode);
  void AppendValue(size_t bytes, uint32_t key, std::string& out);

  scenario::Random random_;
  size_t keys_;
  std::string filler_;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_WORKLOAD_H_
