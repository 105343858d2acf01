#include "central/metadata.h"

#include <bit>

#include "base/constants.h"

namespace cma {
namespace {

constexpr size_t kSmallestPiece = 64;
// Mapped at a time. Half and double the same in idle_threads.
constexpr size_t kChunkBytes = 256 * kKiB;

size_t SizeIndex(size_t bytes) {
  return bytes <= kSmallestPiece
             ? 0
             : static_cast<size_t>(std::bit_width((bytes - 1) / kSmallestPiece));
}

}  // namespace

void* Metadata::Take(size_t bytes) {
  const size_t index = SizeIndex(bytes);
  LockGuard guard(lock_);
  if (FreePiece* piece = free_[index]; piece != nullptr) {
    free_[index] = piece->next;
    return piece;
  }
  return Carve(kSmallestPiece << index);
}

void Metadata::Give(void* memory, size_t bytes) {
  const size_t index = SizeIndex(bytes);
  LockGuard guard(lock_);
  auto* piece = static_cast<FreePiece*>(memory);
  piece->next = free_[index];
  free_[index] = piece;
}

void* Metadata::Carve(size_t bytes) {
  if (chunk_left_ < bytes) {
    std::byte* chunk = os_->map(kChunkBytes);
    if (chunk == nullptr) return nullptr;
    CountMapped(kChunkBytes);
    chunk_ = chunk;  // the tail of the old chunk, under one piece, is given up
    chunk_left_ = kChunkBytes;
  }
  std::byte* piece = chunk_;
  chunk_ += bytes;
  chunk_left_ -= bytes;
  return piece;
}

void Metadata::CountMapped(size_t bytes) {
  mapped_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (limit_ != nullptr) limit_->CommitTable(bytes);
}

void* Metadata::TakePages(size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  std::byte* pages = os_->map(bytes);
  if (pages != nullptr) CountMapped(bytes);
  return pages;
}

}  // namespace cma
