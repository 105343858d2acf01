#ifndef CMA_BENCH_KV_SERVER_WORKER_H_
#define CMA_BENCH_KV_SERVER_WORKER_H_

#include <atomic>
#include <memory>
#include <thread>

#include "connection.h"
#include "file_descriptor.h"
#include "store.h"

namespace kv {

// One server thread with its connections. It sleeps in epoll while no client asks for anything.
class Worker {
 public:
  explicit Worker(Store& store);
  // Waits until every client has closed its end.
  ~Worker();

  // Takes over the server's end of a new socket. Any thread may call it.
  void Adopt(FileDescriptor socket);

 private:
  void Run();
  void Serve(Connection* connection);

  Store& store_;
  FileDescriptor epoll_;
  FileDescriptor stop_;
  std::atomic<int> connections_{0};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_WORKER_H_
