#ifndef CMA_BENCH_KV_SERVER_BUFFER_H_
#define CMA_BENCH_KV_SERVER_BUFFER_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace kv {

// Bytes that were received and not yet used. Grows to hold one whole message, and gives a large
// block back when it has run empty.
class Buffer {
 public:
  std::string_view content() const { return {data_.get() + begin_, end_ - begin_}; }

  // Free space behind the content, at least `bytes` of it.
  std::span<char> Space(size_t bytes);

  // The first `bytes` of the last Space() are content now.
  void Added(size_t bytes) { end_ += bytes; }

  // Drops the front of the content.
  void Consume(size_t bytes);

 private:
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace kv

#endif  // CMA_BENCH_KV_SERVER_BUFFER_H_
