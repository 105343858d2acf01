#ifndef CMA_BENCH_KV_SERVER_FILE_DESCRIPTOR_H_
#define CMA_BENCH_KV_SERVER_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace kv {

// Owns an open descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_FILE_DESCRIPTOR_H_
