#ifndef CMA_BENCH_KV_SERVER_CLIENT_H_
#define CMA_BENCH_KV_SERVER_CLIENT_H_

#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "file_descriptor.h"
#include "server.h"
#include "workload.h"

namespace kv {

// The client's end of a connection: sends requests in batches, then takes their responses.
class Client {
 public:
  explicit Client(Server& server) : server_(server), socket_(server.Connect()) {}

  // Sends a batch and returns without waiting for the responses.
  void SendBatch(Workload& workload);

  // Waits for every response of the batch. Returns how many there were.
  size_t ReceiveBatch();

  // Has the server drop all but one entry in `keep_one_in`.
  void ClearStore(uint32_t keep_one_in);

  // Values that were not what had been stored.
  size_t damaged() const { return damaged_; }

 private:
  void Send(std::string_view bytes);
  void ReceiveResponse();
  void Reconnect();

  Server& server_;
  FileDescriptor socket_;
  Buffer received_;
  size_t outstanding_ = 0;
  size_t batches_ = 0;
  size_t damaged_ = 0;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_CLIENT_H_
