#ifndef CMA_BENCH_KV_SERVER_CONNECTION_H_
#define CMA_BENCH_KV_SERVER_CONNECTION_H_

#include <cstddef>
#include <deque>
#include <string>

#include "buffer.h"
#include "file_descriptor.h"
#include "store.h"

namespace kv {

// The server's end of one client's socket: requests in, responses out, never blocking.
//
// Locking: none; it belongs to one worker once that worker's epoll has it.
class Connection {
 public:
  enum class State {
    kIdle,     // everything received is answered and sent
    kWaiting,  // the socket takes no more of the answers for now
    kClosed,   // the client is gone
  };

  explicit Connection(FileDescriptor socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }

  // Receives what there is, answers each whole request, and sends.
  State Serve(Store& store);

 private:
  bool Receive(Store& store);
  void AnswerAll(Store& store);
  bool Send();
  void DropSent(size_t bytes);

  FileDescriptor socket_;
  Buffer received_;
  size_t wanted_bytes_ = 0;          // length of the message that is half received, if known
  std::deque<std::string> answers_;  // one string each
  size_t front_sent_ = 0;            // bytes of the first answer that are gone
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_CONNECTION_H_
