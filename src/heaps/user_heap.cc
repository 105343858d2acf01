#include "heaps/user_heap.h"

#include <string.h>

#include <algorithm>

#include "report/fault.h"
#include "runs/zero_run.h"

namespace cma {
namespace {

// A block that was free in a thread's cache in an earlier life may have left its key. Reading first
// keeps the page of a fresh run untouched.
void ClearKey(std::byte* block) {
  uint64_t& key = reinterpret_cast<uint64_t*>(block)[1];
  if (key == AddressMap::FreeKey()) key = 0;
}

// Bytes of the name that have room, without a part of a character in UTF-8.
size_t NameLength(const char* name) {
  size_t length = strnlen(name, UserHeap::kNameBytes - 1);
  while (length != 0 && (name[length] & 0xc0) == 0x80) --length;
  return length;
}

}  // namespace

void UserHeap::Open(const char* name, size_t limit) {
  Account::Open(limit);
  const size_t length = name != nullptr ? NameLength(name) : 0;
  if (length != 0) memcpy(name_, name, length);
  name_[length] = 0;
  is_live_.store(true, std::memory_order_relaxed);
}

void UserHeap::Close() {
  is_live_.store(false, std::memory_order_relaxed);
  huge_->GiveAllOf(this);
  arena_->Clear();
  LockGuard guard(arena_->lock());
  Refund(lent());
}

size_t UserHeap::UsableBytes(const std::byte* block) const {
  Superblock* const superblock = map_->FindSuperblock(AddressOf(block));
  const SizeClass c = SmallClassAt(superblock, block);
  return c != 0 ? ClassBytes(c) : UsedRunAt(superblock, block).bytes();
}

// A superblock changes hands only under the lock of the arena that has it: who holds that of this
// heap's arena and gets the answer true can rely on it.
bool UserHeap::Owns(const std::byte* block) const {
  const Superblock* const superblock = map_->FindSuperblock(AddressOf(block));
  return superblock != nullptr &&
         superblock->arena.load(std::memory_order_relaxed) == static_cast<uint16_t>(arena_->id());
}

std::byte* UserHeap::TakeUncharged(const BlockShape& shape, ZeroPages* zero_pages) {
  if (shape.kind == BlockShape::kRun) {
    return arena_->TakeRunLocked(shape.bytes, shape.alignment, zero_pages);
  }
  std::byte* block;
  return arena_->TakeBlocks(shape.size_class, &block, 1) != 0 ? block : nullptr;
}

std::byte* UserHeap::TakeFromArena(const BlockShape& shape, ZeroPages* zero_pages,
                                   bool* over_limit) {
  LockGuard guard(arena_->lock());
  *over_limit = !Charge(shape.bytes);
  if (*over_limit) return nullptr;
  std::byte* block = TakeUncharged(shape, zero_pages);
  if (block == nullptr) {
    Refund(shape.bytes);
    return nullptr;
  }
  if (shape.bytes <= kSmallMax) return block;
  // A run may be longer than asked. If the limit has no room for that it goes back.
  *over_limit = !Charge(UsableBytes(block) - shape.bytes);
  if (!*over_limit) return block;
  arena_->GiveBlocks(&block, 1);
  Refund(shape.bytes);
  return nullptr;
}

bool UserHeap::ChargeHugeLocking(size_t bytes) {
  LockGuard guard(arena_->lock());
  return ChargeHuge(bytes);
}

void UserHeap::NoteRefusalLocking() {
  LockGuard guard(arena_->lock());
  NoteRefusal();
}

void UserHeap::NotePeakLocking() {
  LockGuard guard(arena_->lock());
  NotePeak();
}

std::byte* UserHeap::TakeHuge(const BlockShape& shape, Contents contents, bool* over_limit) {
  const size_t bytes = RoundUp(shape.bytes, OsPageBytes());
  *over_limit = !ChargeHugeLocking(bytes);
  if (*over_limit) return nullptr;
  std::byte* const block = huge_->Take(bytes, shape.alignment, contents, this);
  if (block == nullptr) {
    RefundHuge(bytes);
  } else {
    NotePeakLocking();
  }
  return block;
}

UserHeap::Taken UserHeap::Take(size_t size, size_t alignment, Contents contents) {
  Taken taken = {nullptr, false};
  if (size > size_t{PTRDIFF_MAX} - kMaxPageBytes) return taken;
  const BlockShape shape = ShapeOf(size, alignment);
  if (shape.kind == BlockShape::kHuge) {
    taken.block = TakeHuge(shape, contents, &taken.over_limit);
    if (taken.over_limit) NoteRefusalLocking();
    return taken;
  }
  const bool zero = contents == Contents::kZero;
  ZeroPages zero_pages;
  const bool is_run = shape.kind == BlockShape::kRun;
  taken.block = TakeFromArena(shape, zero && is_run ? &zero_pages : nullptr, &taken.over_limit);
  if (taken.over_limit) NoteRefusalLocking();
  if (taken.block == nullptr) return taken;
  if (!zero) {
    ClearKey(taken.block);
  } else if (is_run) {
    ZeroRun(taken.block, size, zero_pages);
  } else {
    memset(taken.block, 0, size);
  }
  return taken;
}

void UserHeap::Give(std::byte* block, size_t bytes) {
  LockGuard guard(arena_->lock());
  // Again, now that nobody else can: two threads may free the same block at once.
  if (!Owns(block)) ReportDoubleFree(block, bytes);
  arena_->GiveBlocks(&block, 1);
  Refund(bytes);
}

bool UserHeap::HoldsFree(SizeClass c, const std::byte* block) {
  LockGuard guard(arena_->lock());
  return arena_->HoldsFree(c, block);
}

UserHeap::Resized UserHeap::ResizeRun(const Run& run, size_t bytes) {
  const size_t before = run.bytes();
  LockGuard guard(arena_->lock());
  if (bytes > before && !Allows(bytes - before)) return {before, true};
  const size_t usable = arena_->ResizeRunLocked(run, bytes);
  if (usable <= before) {
    Refund(before - usable);
    return {usable, false};
  }
  if (Charge(usable - before)) return {usable, false};
  // It would be longer than asked, as what is left is too short for a run of its own.
  const Run grown = UsedRunAt(run.superblock, run.address());
  return {arena_->ResizeRunLocked(grown, before), true};
}

UserHeap::Resized UserHeap::ResizeHugeInPlace(std::byte* block, size_t old_bytes, size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  if (bytes > old_bytes && !ChargeHugeLocking(bytes - old_bytes)) return {old_bytes, true};
  const size_t usable = huge_->ResizeInPlace(block, bytes);
  RefundHuge(std::max(old_bytes, bytes) - usable);
  if (usable > old_bytes) NotePeakLocking();
  return {usable, false};
}

std::byte* UserHeap::ResizeHuge(std::byte* block, size_t old_bytes, size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  if (bytes > old_bytes && !ChargeHugeLocking(bytes - old_bytes)) return nullptr;
  std::byte* const moved = huge_->Resize(block, bytes);
  RefundHuge(std::max(old_bytes, bytes) - huge_->BytesOf(moved != nullptr ? moved : block));
  if (bytes > old_bytes && moved != nullptr) NotePeakLocking();
  return moved;
}

UserHeap::Figures UserHeap::ReadFigures() {
  LockGuard guard(arena_->lock());
  const size_t huge_bytes = huge();
  return {lent() + huge_bytes, huge_bytes, peak(), arena_->SuperblockBytes() + huge_bytes};
}

}  // namespace cma
