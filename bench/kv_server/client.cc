#include "client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "failure.h"

namespace kv {
namespace {

constexpr size_t kReceiveBytes = size_t{16} * 1024;

// A client comes back on a new connection after this many batches.
constexpr size_t kBatchesPerConnection = 500;

}  // namespace

void Client::SendBatch(Workload& workload) {
  if (++batches_ % kBatchesPerConnection == 0) Reconnect();
  outstanding_ = workload.NextBatchSize();
  std::string batch;
  for (size_t i = 0; i < outstanding_; ++i) workload.AppendNext(batch);
  Send(batch);
}

size_t Client::ReceiveBatch() {
  const size_t responses = outstanding_;
  for (; outstanding_ > 0; --outstanding_) ReceiveResponse();
  return responses;
}

void Client::ClearStore(uint32_t keep_one_in) {
  RequestHeader header{};
  header.opcode = Opcode::kClear;
  header.argument = keep_one_in;
  std::string request;
  AppendRequest(header, "", request);
  Send(request);
  ReceiveResponse();
}

void Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) FailWithErrno("send");
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

void Client::ReceiveResponse() {
  Response response;
  while (!ParseResponse(received_.content(), response)) {
    const size_t missing = response.total_bytes - received_.content().size();
    const std::span<char> space = received_.Space(std::max(missing, kReceiveBytes));
    const ssize_t bytes = recv(socket_.get(), space.data(), space.size(), 0);
    if (bytes == 0 || (bytes < 0 && errno != EINTR)) FailWithErrno("recv");
    if (bytes > 0) received_.Added(static_cast<size_t>(bytes));
  }
  // As client libraries do: the caller gets a value of its own.
  const std::string value(response.value);
  if (!value.empty() && !Workload::IsIntact(value, response.header.id)) ++damaged_;
  received_.Consume(response.total_bytes);
}

void Client::Reconnect() {
  socket_ = server_.Connect();
  received_ = Buffer();
}

}  // namespace kv
