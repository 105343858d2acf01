#include "central/metadata.h"

#include <algorithm>
#include <bit>

#include "os/os_wait.h"

namespace cma {
namespace {

constexpr size_t kSmallestPiece = 64;

size_t SizeIndex(size_t bytes) {
  return bytes <= kSmallestPiece
             ? 0
             : static_cast<size_t>(std::bit_width((bytes - 1) / kSmallestPiece));
}

}  // namespace

Metadata::Shelf& Metadata::OwnShelf() {
  // Threads' control blocks lie at the ends of their stacks, a power of two apart as a rule.
  constexpr uint64_t kScatter = 0x9e3779b97f4a7c15;  // 2^64 times the golden ratio
  return shelves_[OsThreadIdentity() * kScatter >> (64 - std::bit_width(kShelves - 1))];
}

void* Metadata::TakeFree(Shelf& shelf, size_t index) {
  FreePiece* const piece = shelf.free[index];
  if (piece != nullptr) shelf.free[index] = piece->next;
  return piece;
}

void* Metadata::TakeFrom(Shelf& shelf, size_t index) {
  void* const piece = TakeFree(shelf, index);
  return piece != nullptr ? piece : Carve(shelf, kSmallestPiece << index);
}

void* Metadata::Take(size_t bytes) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  {
    LockGuard guard(shelf.lock);
    if (void* piece = TakeFrom(shelf, index); piece != nullptr) return piece;
  }
  return TakeFromOthers(index);
}

void* Metadata::TakeChain(size_t bytes, size_t count) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  FreePiece* first = nullptr;
  {
    LockGuard guard(shelf.lock);
    for (; count != 0; --count) {
      auto* const piece = static_cast<FreePiece*>(TakeFrom(shelf, index));
      if (piece == nullptr) break;
      piece->next = first;
      first = piece;
    }
  }
  if (first != nullptr) return first;
  first = static_cast<FreePiece*>(TakeFromOthers(index));
  if (first != nullptr) first->next = nullptr;
  return first;
}

void Metadata::GiveChain(void* first, size_t bytes) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  LockGuard guard(shelf.lock);
  for (auto* piece = static_cast<FreePiece*>(first); piece != nullptr;) {
    FreePiece* const next = piece->next;
    piece->next = shelf.free[index];
    shelf.free[index] = piece;
    piece = next;
  }
}

// The OS refuses memory.
void* Metadata::TakeFromOthers(size_t index) {
  for (Shelf& shelf : shelves_) {
    LockGuard guard(shelf.lock);
    if (void* piece = TakeFree(shelf, index); piece != nullptr) return piece;
  }
  return nullptr;
}

void Metadata::Give(void* memory, size_t bytes) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  LockGuard guard(shelf.lock);
  auto* piece = static_cast<FreePiece*>(memory);
  piece->next = shelf.free[index];
  shelf.free[index] = piece;
}

void* Metadata::Carve(Shelf& shelf, size_t bytes) {
  if (shelf.chunk_left < bytes) {
    std::byte* chunk = os_->map(shelf.chunk_bytes);
    if (chunk == nullptr) return nullptr;
    CountMapped(shelf.chunk_bytes);
    shelf.chunk = chunk;  // the tail of the old chunk, under one piece, is given up
    shelf.chunk_left = shelf.chunk_bytes;
    shelf.chunk_bytes = std::min(2 * shelf.chunk_bytes, kMostChunkBytes);
  }
  std::byte* piece = shelf.chunk;
  shelf.chunk += bytes;
  shelf.chunk_left -= bytes;
  return piece;
}

bool Metadata::AcquireAllForFork() {
  bool all = true;
  for (Shelf& shelf : shelves_) all = shelf.lock.AcquireForFork() && all;
  return all;
}

void Metadata::ReleaseAllAfterFork() {
  for (Shelf& shelf : shelves_) shelf.lock.ReleaseAfterFork();
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
