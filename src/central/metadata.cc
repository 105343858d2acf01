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

void Metadata::Put(Shelf& shelf, size_t index, FreePiece* piece) {
  piece->next = shelf.free[index].load(std::memory_order_relaxed);
  shelf.free[index].store(piece, std::memory_order_relaxed);
}

bool Metadata::AddChunk(Shelf& shelf) {
  std::byte* const chunk = os_->map(shelf.chunk_bytes);
  if (chunk == nullptr) return false;
  CountMapped(shelf.chunk_bytes);
  shelf.chunk = chunk;  // the tail of the old chunk, under one piece, is given up
  shelf.chunk_left = shelf.chunk_bytes;
  shelf.chunk_bytes = std::min(2 * shelf.chunk_bytes, kMostChunkBytes);
  return true;
}

// What is free, or a new piece; nullptr if others are to be asked, or the OS has refused. Apart, as
// two copies would not fit among what small programs run.
[[gnu::noinline]] void* Metadata::TakeFrom(Shelf& shelf, size_t index) {
  if (FreePiece* const piece = shelf.free[index].load(std::memory_order_relaxed)) {
    shelf.free[index].store(piece->next, std::memory_order_relaxed);
    return piece;
  }
  const size_t bytes = kSmallestPiece << index;
  if (shelf.chunk == nullptr) AddChunk(shelf);
  if (shelf.chunk_left < bytes || (shelf.asks & BitOf(index)) != 0) return nullptr;
  std::byte* const piece = shelf.chunk;
  shelf.chunk += bytes;
  shelf.chunk_left -= bytes;
  return piece;
}

void* Metadata::Take(size_t bytes) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  {
    LockGuard guard(shelf.lock);
    if (void* piece = TakeFrom(shelf, index); piece != nullptr) return piece;
  }
  return TakeOneMore(shelf, index);
}

void* Metadata::TakeChain(size_t bytes, size_t count) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  FreePiece* first = nullptr;
  {
    LockGuard guard(shelf.lock);
    for (size_t i = 0; i < count; ++i) {
      auto* const piece = static_cast<FreePiece*>(TakeFrom(shelf, index));
      if (piece == nullptr) break;
      piece->next = first;
      first = piece;
    }
  }
  return first != nullptr ? first : TakeMore(shelf, index, count);
}

// Up to `count` pieces of the first shelf that has any.
Metadata::FreePiece* Metadata::TakeFromOthers(size_t index, size_t count) {
  for (Shelf& shelf : shelves_) {
    // Relaxed: nothing is read through it, and what is given in this moment is found the next time.
    if (shelf.free[index].load(std::memory_order_relaxed) == nullptr) continue;
    LockGuard guard(shelf.lock);
    FreePiece* const first = shelf.free[index].load(std::memory_order_relaxed);
    if (first == nullptr) continue;
    FreePiece* last = first;
    while (--count != 0 && last->next != nullptr) last = last->next;
    shelf.free[index].store(last->next, std::memory_order_relaxed);
    last->next = nullptr;
    return first;
  }
  return nullptr;
}

// After TakeFrom(): up to `count` pieces from the others, or a single new one.
Metadata::FreePiece* Metadata::TakeMore(Shelf& shelf, size_t index, size_t count) {
  if (FreePiece* const first = TakeFromOthers(index, count)) return first;
  LockGuard guard(shelf.lock);
  if (shelf.chunk == nullptr) return nullptr;  // the first one has just been refused
  shelf.asks &= static_cast<uint16_t>(~BitOf(index));
  // Others of the same shelf may have been here meanwhile.
  auto* piece = static_cast<FreePiece*>(TakeFrom(shelf, index));
  if (piece == nullptr && AddChunk(shelf)) {
    shelf.asks = static_cast<uint16_t>(~BitOf(index));
    piece = static_cast<FreePiece*>(TakeFrom(shelf, index));
  }
  if (piece != nullptr) piece->next = nullptr;
  return piece;
}

void* Metadata::TakeOneMore(Shelf& shelf, size_t index) {
  const size_t bytes = kSmallestPiece << index;
  FreePiece* const first = TakeMore(shelf, index, std::max<size_t>(kTogetherBytes / bytes, 1));
  if (first != nullptr && first->next != nullptr) GiveChain(first->next, bytes);
  return first;
}

void Metadata::GiveChain(void* first, size_t bytes) {
  const size_t index = SizeIndex(bytes);
  Shelf& shelf = OwnShelf();
  LockGuard guard(shelf.lock);
  for (auto* piece = static_cast<FreePiece*>(first); piece != nullptr;) {
    FreePiece* const next = piece->next;
    Put(shelf, index, piece);
    piece = next;
  }
}

void Metadata::Give(void* memory, size_t bytes) {
  Shelf& shelf = OwnShelf();
  LockGuard guard(shelf.lock);
  Put(shelf, SizeIndex(bytes), static_cast<FreePiece*>(memory));
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
