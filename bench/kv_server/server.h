#ifndef CMA_BENCH_KV_SERVER_SERVER_H_
#define CMA_BENCH_KV_SERVER_SERVER_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "file_descriptor.h"
#include "store.h"
#include "worker.h"

namespace kv {

// The workers and the store that they share. It ends when every client has closed its end.
class Server {
 public:
  Server(size_t workers, size_t limit_bytes);

  // A new client's end of a blocking stream socket; its requests go to the next worker in turn.
  FileDescriptor Connect();

  size_t stored_bytes() { return store_.bytes(); }

 private:
  Store store_;
  std::atomic<size_t> next_worker_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_SERVER_H_
