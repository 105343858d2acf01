#include "connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "failure.h"

namespace kv {
namespace {

constexpr size_t kReceiveBytes = size_t{16} * 1024;
constexpr size_t kAnswersPerSend = 64;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

Connection::State Connection::Serve(Store& store) {
  const bool open = Receive(store);
  if (!open || !Send()) return State::kClosed;
  return answers_.empty() ? State::kIdle : State::kWaiting;
}

// False: the client is gone.
bool Connection::Receive(Store& store) {
  for (;;) {
    const size_t have = received_.content().size();
    const size_t missing = wanted_bytes_ > have ? wanted_bytes_ - have : 0;
    const std::span<char> space = received_.Space(std::max(missing, kReceiveBytes));
    const ssize_t bytes = recv(fd(), space.data(), space.size(), 0);
    if (bytes == 0) return false;
    if (bytes < 0) return WouldBlock() || errno == EINTR;
    received_.Added(static_cast<size_t>(bytes));
    AnswerAll(store);
  }
}

void Connection::AnswerAll(Store& store) {
  Request request;
  while (ParseRequest(received_.content(), request)) {
    answers_.push_back(store.Execute(request));
    received_.Consume(request.total_bytes);
  }
  wanted_bytes_ = request.total_bytes;
}

// False: the client is gone.
bool Connection::Send() {
  while (!answers_.empty()) {
    std::array<iovec, kAnswersPerSend> parts;
    const size_t count = std::min(parts.size(), answers_.size());
    for (size_t i = 0; i < count; ++i) {
      const size_t skip = i == 0 ? front_sent_ : 0;
      parts[i] = {answers_[i].data() + skip, answers_[i].size() - skip};
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t bytes = sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (bytes < 0) return WouldBlock() || errno == EINTR;
    DropSent(static_cast<size_t>(bytes));
  }
  return true;
}

void Connection::DropSent(size_t bytes) {
  front_sent_ += bytes;
  while (!answers_.empty() && front_sent_ >= answers_.front().size()) {
    front_sent_ -= answers_.front().size();
    answers_.pop_front();
  }
}

}  // namespace kv
