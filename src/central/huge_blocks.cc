#include "central/huge_blocks.h"

#include <algorithm>

#include "base/constants.h"
#include "options/options.h"

namespace cma {
namespace {

// Blocks from this size on are written densely by nearly all programs: huge pages save faults. Seen
// in huge_blocks/1 (double) and realloc_ladder:grow/1 (half), in both a little.
constexpr size_t kHugePageThreshold = 4 * kMiB;

bool WantsHugePages(size_t bytes) {
  return bytes >= kHugePageThreshold && g_options.huge_pages != 0;
}

// Whole huge pages where they take at most one part in so many more. A block that ends within one
// has small pages there, what is cut from it later begins so, and a cached block fits fewer others:
// huge_blocks/1 has 2.8 times the page faults with double, 0.15 with half, in 1.03 of the memory.
constexpr size_t kShareOfRounding = 8;

// Up to so many bytes a block that must be zero is made so where it has memory. The program would
// write to it in any case, as a rule, and pages from the OS take longer. Far longer ones it may
// want for a few pages here and there.
constexpr size_t kMostZeroed = 32 * kMiB;

// REQUIRES: bytes is a multiple of the page size.
size_t WithWholeHugePages(size_t bytes) {
  const size_t rounded = RoundUp(bytes, kHugePageBytes);
  return WantsHugePages(bytes) && rounded - bytes <= bytes / kShareOfRounding ? rounded : bytes;
}

}  // namespace

// Huge pages stay whole when a block is moved only if both places are aligned to them.
size_t HugeBlocks::AlignmentFor(size_t bytes, size_t alignment) {
  return std::max(alignment, WantsHugePages(bytes) ? kHugePageBytes : OsPageBytes());
}

size_t HugeBlocks::BucketOf(const std::byte* start) {
  return static_cast<size_t>(((AddressOf(start) >> 12) * 0x9E3779B97F4A7C15u) >> 52);
}
static_assert(4096 == 1u << (64 - 52));

// Makes the table before the first block; false if the OS refuses.
bool HugeBlocks::HaveTable() {
  LockGuard guard(lock_);
  if (table_ == nullptr) {
    table_ = static_cast<Block**>(metadata_->TakePages(kBuckets * sizeof(Block*)));
  }
  return table_ != nullptr;
}

HugeBlocks::Block* HugeBlocks::Find(const std::byte* start) {
  if (table_ == nullptr) return nullptr;
  for (Block* block = table_[BucketOf(start)]; block != nullptr; block = block->chain) {
    if (block->start == start) return block;
  }
  return nullptr;
}

void HugeBlocks::Enter(Block* block) {
  Block*& head = table_[BucketOf(block->start)];
  block->chain = head;
  head = block;
  live_bytes_.fetch_add(block->bytes, std::memory_order_relaxed);
  live_count_.fetch_add(1, std::memory_order_relaxed);
  peak_in_use_.Note(InUse());
}

HugeBlocks::Block* HugeBlocks::Leave(std::byte* start) {
  if (table_ == nullptr) return nullptr;
  for (Block** at = &table_[BucketOf(start)]; *at != nullptr; at = &(*at)->chain) {
    Block* const block = *at;
    if (block->start != start) continue;
    peak_in_use_.Note(InUse());
    *at = block->chain;
    live_bytes_.fetch_sub(block->bytes, std::memory_order_relaxed);
    live_count_.fetch_sub(1, std::memory_order_relaxed);
    return block;
  }
  return nullptr;
}

HugeBlocks::Block* HugeBlocks::NewBlock(std::byte* start, size_t bytes) {
  if (!HaveTable()) return nullptr;
  auto* block = static_cast<Block*>(metadata_->Take(sizeof(Block)));
  if (block == nullptr) return nullptr;
  *block = {};
  block->start = start;
  block->bytes = bytes;
  block->holds_memory = true;
  return block;
}

bool HugeBlocks::Commit(size_t bytes) {
  return limit_ == nullptr || limit_->Commit(bytes, MemoryLimit::For::kHugeBlock);
}

void HugeBlocks::Uncommit(size_t bytes) {
  if (limit_ != nullptr) limit_->Uncommit(bytes);
}

std::byte* HugeBlocks::MapCommitted(size_t bytes, size_t alignment) {
  if (!Commit(bytes)) return nullptr;
  std::byte* start = MapAligned(*os_, bytes, alignment);
  if (start == nullptr) Uncommit(bytes);
  return start;
}

HugeBlocks::Block* HugeBlocks::MapNew(size_t bytes, size_t alignment, Contents contents) {
  alignment = AlignmentFor(bytes, alignment);
  std::byte* start = MapCommitted(bytes, alignment);
  if (start == nullptr) {
    // What the cache holds may be what the limit lacks.
    if (Release(os_->now(), 0, ~size_t{0}) == 0) return nullptr;
    start = MapCommitted(bytes, alignment);
    if (start == nullptr) return nullptr;
  }
  Block* block = NewBlock(start, bytes);
  if (block == nullptr) {
    os_->unmap(start, bytes);
    Uncommit(bytes);
    return nullptr;
  }
  if (contents == Contents::kAny) AdviseHuge(block);
  MakeRoom(bytes, UpTo::kPeak, bytes);
  return block;
}

// REQUIRES: the block holds no memory yet.
void HugeBlocks::AdviseHuge(Block* block) {
  if (!WantsHugePages(block->bytes)) return;
  os_->advise_huge(block->start, block->bytes);
  block->has_huge_pages = true;
}

void HugeBlocks::NoteReturned(const Block* block) {
  if (!block->holds_memory) return;
  returned_bytes_.fetch_add(block->bytes, std::memory_order_relaxed);
  Uncommit(block->bytes);
}

void HugeBlocks::UnmapBlock(Block* block) {
  // Refused only where a mapping would have to be split beyond the limit: then at least the
  // memory goes back.
  if (!os_->unmap(block->start, block->bytes)) os_->decommit(block->start, block->bytes, false);
  NoteReturned(block);
  metadata_->Give(block, sizeof(Block));
}

// Counts what a block is to become longer by. As in MapNew(), the cache may hold what is lacking.
bool HugeBlocks::CommitMore(size_t bytes) {
  return Commit(bytes) || (Release(os_->now(), 0, ~size_t{0}) != 0 && Commit(bytes));
}

bool HugeBlocks::Grow(Block* block, size_t bytes) {
  const size_t old_bytes = block->bytes;
  GrowByFree(block, bytes);
  if (block->bytes == bytes || GrowByMore(block, bytes)) return true;
  Split(block, old_bytes, os_->now());
  return false;
}

bool HugeBlocks::GrowByMore(Block* block, size_t bytes) {
  const size_t more = bytes - block->bytes;
  if (!CommitMore(more)) return false;
  const Resized resized = GrowHere(block, bytes);
  if (resized != Resized::kYes && (resized != Resized::kNo || !GrowElsewhere(block, bytes))) {
    Uncommit(more);
    return false;
  }
  MakeRoom(more, UpTo::kPeak, bytes);
  return true;
}

Resized HugeBlocks::GrowHere(Block* block, size_t bytes) {
  const Resized resized = os_->resize(block->start, block->bytes, bytes);
  if (resized == Resized::kYes) block->bytes = bytes;
  return resized;
}

void HugeBlocks::GrowHereOnly(Block* block, size_t bytes) {
  const size_t old_bytes = block->bytes;
  GrowByFree(block, bytes);
  const size_t more = bytes - block->bytes;
  if (more == 0) return;
  if (CommitMore(more)) {
    if (GrowHere(block, bytes) == Resized::kYes) return MakeRoom(more, UpTo::kPeak, bytes);
    Uncommit(more);
  }
  Split(block, old_bytes, os_->now());
}

bool HugeBlocks::GrowElsewhere(Block* block, size_t bytes) {
  std::byte* target = MapAligned(*os_, bytes, AlignmentFor(bytes, 1));
  if (target == nullptr) return false;
  if (!os_->move(block->start, block->bytes, target, bytes)) {
    os_->unmap(target, bytes);
    return false;
  }
  block->start = target;
  block->bytes = bytes;
  block->moved = 1 + moves_.fetch_add(1, std::memory_order_relaxed) % ~uint32_t{0};
  return true;
}

std::byte* HugeBlocks::Take(size_t bytes, size_t alignment, Contents contents, Account* account) {
  const size_t page = OsPageBytes();
  if (bytes > size_t{PTRDIFF_MAX} - page) return nullptr;
  const size_t least = RoundUp(bytes, page);
  bytes = account == nullptr && contents == Contents::kAny ? WithWholeHugePages(least) : least;
  Block* block = nullptr;
  if (has_free() && (contents == Contents::kAny || bytes <= kMostZeroed)) {
    std::byte* const start = TakeFree(bytes, alignment, contents, account);
    if (start != nullptr) return start;
    if (contents == Contents::kAny && alignment <= page) block = TakeFreeAndGrow(bytes);
  }
  if (block == nullptr) block = MapNew(bytes, alignment, contents);
  if (block == nullptr && bytes != least) block = MapNew(least, alignment, contents);
  if (block == nullptr) return nullptr;
  block->account = account;
  LockGuard guard(lock_);
  Enter(block);
  return block->start;
}

// What there is to note about a block that has left the table for good.
void HugeBlocks::Settle(Block* block) {
  recent_[recent_next_++ % kRecent] = {block->start, block->bytes};
  if (block->account != nullptr) block->account->RefundHuge(block->bytes);
  block->account = nullptr;
}

bool HugeBlocks::Give(std::byte* start) {
  const Milliseconds now = os_->now();
  const bool keeps = KeepsFreed();
  Block* block;
  size_t bytes;
  bool too_much = false;
  {
    LockGuard guard(lock_);
    PassTime(now);
    block = Leave(start);
    if (block == nullptr) return false;
    Settle(block);
    bytes = block->bytes;
    if (keeps) {
      block->idle_since = now;
      // From here on it may be another thread's, or a part of another one.
      free_.InsertLatest(block);
      too_much = HoldsTooMuch(live_bytes());
    }
  }
  if (!keeps) {
    UnmapBlock(block);
  } else if (too_much) {
    Trim(live_bytes(), bytes, UpTo::kBeyondPeak);
  }
  return true;
}

HugeBlocks::Block* HugeBlocks::LeaveOneOf(const Account* account, size_t bucket) {
  LockGuard guard(lock_);
  if (table_ == nullptr) return nullptr;  // charged by a thread that a fork's child lacks
  PassTime(os_->now());
  Block* block = table_[bucket];
  while (block != nullptr && block->account != account) block = block->chain;
  if (block == nullptr) return nullptr;
  Leave(block->start);
  Settle(block);
  return block;
}

void HugeBlocks::GiveAllOf(Account* account) {
  for (size_t bucket = 0; bucket < kBuckets && account->huge() != 0; ++bucket) {
    while (Block* const block = LeaveOneOf(account, bucket)) PutAway(block, os_->now());
  }
}

Account* HugeBlocks::AccountOf(const std::byte* start) {
  LockGuard guard(lock_);
  const Block* block = Find(start);
  return block != nullptr ? block->account : nullptr;
}

size_t HugeBlocks::BytesOf(const std::byte* start) {
  LockGuard guard(lock_);
  const Block* block = Find(start);
  return block != nullptr ? block->bytes : 0;
}

std::byte* HugeBlocks::Resize(std::byte* start, size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  Block* block;
  {
    // While it is resized the block is nobody's but ours: its owner has called.
    LockGuard guard(lock_);
    block = Leave(start);
  }
  if (block == nullptr) return nullptr;
  bool resized = true;
  if (bytes > block->bytes) {
    resized = Grow(block, bytes);
  } else if (block->account != nullptr || block->bytes != WithWholeHugePages(bytes)) {
    Split(block, bytes, os_->now());
  }
  LockGuard guard(lock_);
  Enter(block);
  return resized ? block->start : nullptr;
}

size_t HugeBlocks::ResizeInPlace(std::byte* start, size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  Block* block;
  {
    LockGuard guard(lock_);
    block = Leave(start);  // as in Resize()
  }
  if (block == nullptr) return 0;
  if (bytes < block->bytes) {
    Split(block, bytes, os_->now());
  } else if (bytes > block->bytes) {
    GrowHereOnly(block, bytes);
  }
  LockGuard guard(lock_);
  Enter(block);
  return block->bytes;
}

size_t HugeBlocks::BytesAround(const std::byte* address) {
  LockGuard guard(lock_);
  for (size_t bucket = 0; table_ != nullptr && bucket < kBuckets; ++bucket) {
    for (const Block* block = table_[bucket]; block != nullptr; block = block->chain) {
      if (address >= block->start && address < block->start + block->bytes) return block->bytes;
    }
  }
  return 0;
}

bool HugeBlocks::WasFreed(const std::byte* address) {
  LockGuard guard(lock_);
  for (const auto& entry : recent_) {
    if (address >= entry.start && address < entry.start + entry.bytes) return true;
  }
  return false;
}

}  // namespace cma
