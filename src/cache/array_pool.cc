#include "cache/array_pool.h"

#include <bit>

namespace cma {
namespace {

constexpr size_t kSmallest = 64;  // bytes

size_t SizeIndex(size_t slots) {
  const size_t bytes = slots * sizeof(uintptr_t);
  return bytes <= kSmallest ? 0 : static_cast<size_t>(std::bit_width((bytes - 1) / kSmallest));
}

}  // namespace

bool ArrayPool::AddChunk(Metadata& metadata) {
  auto* const chunk = static_cast<Chunk*>(metadata.Take(kChunkBytes));
  if (chunk == nullptr) return false;
  chunk->next = chunks_;
  chunks_ = chunk;
  chunk_ = reinterpret_cast<std::byte*>(chunk) + kSmallest;
  chunk_left_ = kChunkBytes - kSmallest;
  return true;
}

uintptr_t* ArrayPool::Take(size_t slots, Metadata& metadata) {
  const size_t index = SizeIndex(slots);
  if (Unused* const array = unused_[index]; array != nullptr) {
    unused_[index] = array->next;
    return reinterpret_cast<uintptr_t*>(array);
  }
  const size_t bytes = kSmallest << index;
  if (chunk_left_ < bytes && !AddChunk(metadata)) return nullptr;
  std::byte* const array = chunk_;
  chunk_ += bytes;
  chunk_left_ -= bytes;
  return reinterpret_cast<uintptr_t*>(array);
}

void ArrayPool::Give(uintptr_t* array, size_t slots) {
  auto* const unused = reinterpret_cast<Unused*>(array);
  const size_t index = SizeIndex(slots);
  unused->next = unused_[index];
  unused_[index] = unused;
}

void ArrayPool::Clear(Metadata& metadata) {
  unused_ = {};
  chunk_left_ = 0;
  while (Chunk* chunk = chunks_) {
    chunks_ = chunk->next;
    metadata.Give(chunk, kChunkBytes);
  }
}

}  // namespace cma
