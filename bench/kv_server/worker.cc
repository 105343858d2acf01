#include "worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "failure.h"

namespace kv {
namespace {

constexpr int kEventsPerWait = 64;

int ControlEpoll(int epoll, int operation, int fd, uint32_t events, Connection* connection) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = connection;
  return epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Worker::Worker(Store& store)
    : store_(store),
      epoll_(Checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      stop_(Checked(eventfd(0, EFD_CLOEXEC), "eventfd")) {
  // The null pointer stands for the request to stop.
  Checked(ControlEpoll(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), EPOLLIN, nullptr), "epoll_ctl");
  thread_ = std::thread([this] { Run(); });
}

Worker::~Worker() {
  Checked(eventfd_write(stop_.get(), 1), "eventfd_write");
  thread_.join();
}

void Worker::Adopt(FileDescriptor socket) {
  connections_.fetch_add(1, std::memory_order_relaxed);
  auto connection = std::make_unique<Connection>(std::move(socket));
  const int fd = connection->fd();
  // From here on the connection is the worker's.
  Connection* adopted = connection.release();
  Checked(ControlEpoll(epoll_.get(), EPOLL_CTL_ADD, fd, EPOLLIN, adopted), "epoll_ctl");
}

void Worker::Run() {
  std::array<epoll_event, kEventsPerWait> events;
  bool stopping = false;
  while (!stopping || connections_.load(std::memory_order_relaxed) > 0) {
    const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerWait, -1);
    if (count < 0 && errno != EINTR) FailWithErrno("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {
        stopping = true;
        Checked(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, stop_.get(), nullptr), "epoll_ctl");
      } else {
        Serve(static_cast<Connection*>(events[i].data.ptr));
      }
    }
  }
}

void Worker::Serve(Connection* connection) {
  const Connection::State state = connection->Serve(store_);
  if (state == Connection::State::kClosed) {
    delete connection;  // closes the socket, which also takes it out of epoll_
    connections_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  const uint32_t events = state == Connection::State::kIdle ? EPOLLIN : EPOLLIN | EPOLLOUT;
  Checked(ControlEpoll(epoll_.get(), EPOLL_CTL_MOD, connection->fd(), events, connection),
          "epoll_ctl");
}

}  // namespace kv
