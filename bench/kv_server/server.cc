#include "server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "failure.h"

namespace kv {

Server::Server(size_t workers, size_t limit_bytes) : store_(limit_bytes) {
  for (size_t i = 0; i < workers; ++i) workers_.push_back(std::make_unique<Worker>(store_));
}

FileDescriptor Server::Connect() {
  int ends[2];
  Checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
  FileDescriptor server_end(ends[0]);
  FileDescriptor client_end(ends[1]);
  Checked(fcntl(server_end.get(), F_SETFL, O_NONBLOCK), "fcntl");
  const size_t worker = next_worker_.fetch_add(1, std::memory_order_relaxed) % workers_.size();
  workers_[worker]->Adopt(std::move(server_end));
  return client_end;
}

}  // namespace kv
