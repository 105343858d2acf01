#include "buffer.h"

#include <algorithm>
#include <cstring>

namespace kv {
namespace {

constexpr size_t kMinBytes = size_t{16} * 1024;

// An empty buffer larger than this is freed: a connection that once carried a large value shall
// not hold its memory for good.
constexpr size_t kKeepBytes = size_t{64} * 1024;

}  // namespace

std::span<char> Buffer::Space(size_t bytes) {
  const size_t used = end_ - begin_;
  if (capacity_ - end_ < bytes) {
    if (capacity_ < used + bytes) {
      capacity_ = std::max({kMinBytes, used + bytes, capacity_ * 2});
      auto grown = std::make_unique_for_overwrite<char[]>(capacity_);
      if (used != 0) std::memcpy(grown.get(), data_.get() + begin_, used);
      data_ = std::move(grown);
    } else {
      std::memmove(data_.get(), data_.get() + begin_, used);
    }
    begin_ = 0;
    end_ = used;
  }
  return {data_.get() + end_, capacity_ - end_};
}

void Buffer::Consume(size_t bytes) {
  begin_ += bytes;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  if (capacity_ <= kKeepBytes) return;
  data_.reset();
  capacity_ = 0;
}

}  // namespace kv
