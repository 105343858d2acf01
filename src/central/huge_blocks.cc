#include "central/huge_blocks.h"

#include <algorithm>
#include <cstring>

#include "base/constants.h"
#include "base/counters.h"
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
// Where small pages are dear it is that half.
constexpr size_t kShareOfRounding = 8;

// Where small pages are dear shorter blocks have huge ones too, which they share: they are cut from
// so many bytes that are mapped together. No benchmark tells.
constexpr size_t kMappedTogether = 16 * kMiB;

// Up to so many bytes a block that must be zero is made so where it has memory. The program would
// write to it in any case, as a rule, and pages from the OS take longer. Far longer ones it may
// want for a few pages here and there.
constexpr size_t kMostZeroed = 32 * kMiB;

// Longer ones would take some milliseconds. No benchmark tells.
constexpr size_t kMostPopulated = 32 * kMiB;

// A longer one with small pages is moved though copying would be quicker. No benchmark tells.
constexpr size_t kMostCopied = 32 * kMiB;

}  // namespace

// Huge pages stay whole when a block is moved only if both places are aligned to them.
size_t HugeBlocks::AlignmentFor(size_t bytes, size_t alignment) {
  return std::max(alignment, WantsHugePages(bytes) ? kHugePageBytes : OsPageBytes());
}

// REQUIRES: bytes is a multiple of the page size.
size_t HugeBlocks::WithWholeHugePages(size_t bytes) {
  if (!WantsHugePages(bytes)) return bytes;
  const size_t more = RoundUp(bytes, kHugePageBytes) - bytes;
  const size_t share = huge_pages_.SmallOnesAreDear() ? kShareOfRounding / 2 : kShareOfRounding;
  return more <= bytes / share ? bytes + more : bytes;
}

// Makes the table before the first block; false if the OS refuses.
bool HugeBlocks::HaveTable() {
  if (table_.is_open()) [[likely]]
    return true;
  LockGuard guard(lock_);
  return slots_.Open(*metadata_) && table_.Open(*metadata_);
}

void HugeBlocks::NotePeak() {
  LockGuard guard(lock_);
  peak_in_use_.Note(InUse());
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
  if (!limit_->Commit(bytes, MemoryLimit::For::kHugeBlock)) return false;
  committed_.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

void HugeBlocks::Uncommit(size_t bytes) {
  // In this order: a fork's child that finds one of them done takes nothing off the limit twice.
  Subtract(committed_, bytes);
  limit_->Uncommit(bytes);
}

std::byte* HugeBlocks::MapCommitted(size_t bytes, size_t alignment) {
  if (!Commit(bytes)) return nullptr;
  std::byte* start = MapAligned(*os_, bytes, alignment);
  if (start == nullptr) Uncommit(bytes);
  return start;
}

// The first of several blocks that lie side by side in huge pages; nullptr if that is refused. The
// others find their place among the addresses that wait.
HugeBlocks::Block* HugeBlocks::MapWithRoom(size_t bytes) {
  if (!Commit(bytes)) return nullptr;
  std::byte* const start = MapAligned(*os_, kMappedTogether, kHugePageBytes);
  Block* const block = start != nullptr ? NewBlock(start, bytes) : nullptr;
  Block* const room = block != nullptr ? NewBlock(start + bytes, kMappedTogether - bytes) : nullptr;
  if (room == nullptr) {
    if (block != nullptr) metadata_->Give(block, sizeof *block);
    if (start != nullptr) os_->unmap(start, kMappedTogether);
    Uncommit(bytes);
    return nullptr;
  }
  os_->advise_huge(start, kMappedTogether);
  block->has_huge_pages = room->has_huge_pages = true;
  room->holds_memory = false;
  room->idle_since = os_->now();
  {
    LockGuard guard(lock_);
    free_.Insert(room);
  }
  MakeRoom(bytes, UpTo::kPeak);
  return block;
}

HugeBlocks::Block* HugeBlocks::MapNew(size_t bytes, size_t alignment, Contents contents) {
  if (contents == Contents::kAny && bytes < kHugePageThreshold && alignment <= kHugePageBytes &&
      KeepsFreed() && huge_pages_.SmallOnesAreDear()) {
    if (Block* const block = MapWithRoom(bytes); block != nullptr) return block;
  }
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
  MakeRoom(bytes, UpTo::kPeak);
  if (contents == Contents::kAny) {
    AdviseHuge(block);
    Populate(block, 0);
  }
  return block;
}

// REQUIRES: the block holds no memory yet.
void HugeBlocks::AdviseHuge(Block* block) {
  if (!WantsHugePages(block->bytes)) return;
  os_->advise_huge(block->start, block->bytes);
  block->has_huge_pages = true;
}

// Fetches the memory of a block with small pages from the byte on, where it has none, if the
// program writes the whole of such.
void HugeBlocks::Populate(const Block* block, size_t from) {
  const size_t bytes = block->bytes - from;
  if (g_options.populate == 0 || block->has_huge_pages) return;
  if (bytes <= DenseWrites::kMoreThan || bytes > kMostPopulated) return;
  bool expected;
  {
    LockGuard guard(lock_);
    expected = dense_writes_.ExpectedOf(*os_, block->start + from, bytes);
  }
  if (expected) os_->populate(block->start + from, bytes);
}

// Before a range loses its memory or its addresses.
void HugeBlocks::SettleMarks(const std::byte* start, size_t bytes) {
  LockGuard guard(lock_);
  dense_writes_.Settle(*os_, start, bytes);
}

// A block that is on its way back to the OS is neither live nor does it wait. REQUIRES: the lock is
// held if it waited, or both would be seen.
void HugeBlocks::NoteLeaving(const Block* block) {
  if (!block->holds_memory) return;
  Subtract(committed_, block->bytes);
  leaving_.fetch_add(block->bytes, std::memory_order_relaxed);
}

void HugeBlocks::NoteReturned(const Block* block) {
  if (!block->holds_memory) return;
  returned_bytes_.fetch_add(block->bytes, std::memory_order_relaxed);
  // In this order: as in Uncommit().
  Subtract(leaving_, block->bytes);
  limit_->Uncommit(block->bytes);
}

bool HugeBlocks::WasRefusedLately() const {
  const Milliseconds at = refused_at_.load(std::memory_order_relaxed);
  return at != 0 && !HasAged(at, os_->now(), kRefusalPause);
}

// False if that is refused: only where a mapping would have to be split beyond the kernel's limit.
// REQUIRES (these): the block is leaving.
bool HugeBlocks::TryToUnmap(Block* block) {
  SettleMarks(block->start, block->bytes);
  if (!os_->unmap(block->start, block->bytes)) {
    refused_at_.store(os_->now(), std::memory_order_relaxed);
    return false;
  }
  NoteReturned(block);
  metadata_->Give(block, sizeof(Block));
  return true;
}

// False if that is refused, as for locked pages.
bool HugeBlocks::TryToDecommit(Block* block) {
  SettleMarks(block->start, block->bytes);
  if (block->holds_memory && !os_->decommit(block->start, block->bytes, false)) return false;
  NoteReturned(block);
  block->holds_memory = false;
  return true;
}

// What will not go is as if it had been freed just now.
void HugeBlocks::KeepWithMemory(Block* block) {
  if (g_options.zero_on_free != 0) memset(block->start, 0, block->bytes);
  committed_.fetch_add(block->bytes, std::memory_order_relaxed);
  Subtract(leaving_, block->bytes);
}

// Whether the addresses went, too. If not the caller puts the block among what waits.
bool HugeBlocks::UnmapOrKeep(Block* block) {
  if (TryToUnmap(block)) return true;
  if (!TryToDecommit(block)) KeepWithMemory(block);
  block->idle_since = os_->now();
  return false;
}

// The same for one that is to keep its addresses, if its memory goes without them.
bool HugeBlocks::EmptyOrUnmap(Block* block) { return !TryToDecommit(block) && UnmapOrKeep(block); }

// Counts what a block is to become longer by. As in MapNew(), the cache may hold what is lacking.
bool HugeBlocks::CommitMore(size_t bytes) {
  return Commit(bytes) || (Release(os_->now(), 0, ~size_t{0}) != 0 && Commit(bytes));
}

bool HugeBlocks::Grow(Block* block, size_t bytes, bool moves) {
  const size_t old_bytes = block->bytes;
  GrowByFree(block, bytes);
  if (block->bytes == bytes || GrowByMore(block, bytes, moves)) return true;
  Split(block, old_bytes, os_->now());
  return false;
}

bool HugeBlocks::GrowByMore(Block* block, size_t bytes, bool moves) {
  const size_t old_bytes = block->bytes;
  const size_t more = bytes - old_bytes;
  if (!CommitMore(more)) return false;
  const Resized resized = GrowHere(block, bytes);
  if (resized != Resized::kYes &&
      (resized != Resized::kNo || !moves || !GrowElsewhere(block, bytes))) {
    Uncommit(more);
    return false;
  }
  MakeRoom(more, UpTo::kPeak);
  Populate(block, old_bytes);
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
    if (GrowHere(block, bytes) == Resized::kYes) return MakeRoom(more, UpTo::kPeak);
    Uncommit(more);
  }
  Split(block, old_bytes, os_->now());
}

// All of them but the last, which may be in small pages.
bool HugeBlocks::HasWholeHugePages(const Block* block) const {
  return block->has_huge_pages && block->bytes >= kHugePageThreshold &&
         AddressOf(block->start) % kHugePageBytes == 0;
}

// Whether its pages take less time to move than to copy. Where small pages are dear each takes as
// long at its new place as a page fault; whole huge pages move as such.
bool HugeBlocks::MovesQuickly(const Block* block) {
  return HasWholeHugePages(block) || !huge_pages_.SmallOnesAreDear();
}

bool HugeBlocks::GrowElsewhere(Block* block, size_t bytes) {
  std::byte* target = MapAligned(*os_, bytes, AlignmentFor(bytes, 1));
  if (target == nullptr) return false;
  SettleMarks(block->start, block->bytes);
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
  if (contents == Contents::kAny || bytes <= kMostZeroed) {
    block = TakeFree(bytes, alignment, contents, account != nullptr);
  }
  if (block == nullptr) {
    if (contents == Contents::kAny && alignment <= page) block = TakeFreeAndGrow(bytes);
    if (block == nullptr) block = MapNew(bytes, alignment, contents);
    if (block == nullptr && bytes != least) block = MapNew(least, alignment, contents);
    if (block == nullptr) return nullptr;
    NotePeak();
  }
  block->account = account;
  // From here on it may be freed, by another thread.
  std::byte* const start = block->start;
  table_.Enter(block);
  return start;
}

bool HugeBlocks::Give(std::byte* start) {
  Block* const block = table_.LeaveFreed(start);
  if (block == nullptr) return false;
  PutAway(block);
  return true;
}

void HugeBlocks::GiveAllOf(Account* account) {
  for (size_t bucket = 0; bucket < HugeTable::kBuckets && account->huge() != 0; ++bucket) {
    while (Block* const block = table_.LeaveOneOf(account, bucket)) PutAway(block);
  }
}

// Another block with the contents of this one, which is not in the table and is put away; nullptr
// if there is no memory for both.
std::byte* HugeBlocks::CopyLonger(Block* block, size_t bytes) {
  std::byte* const copy = Take(bytes, OsPageBytes(), Contents::kAny);
  if (copy == nullptr) return nullptr;
  memcpy(copy, block->start, block->bytes);
  PutAway(block);
  return copy;
}

// Where the huge page that it ends in can be whole it is: grown by less, it would have small ones
// there.
bool HugeBlocks::GrowLive(Block* block, size_t bytes, bool moves) {
  const bool whole = block->account == nullptr && HasWholeHugePages(block) && KeepsFreed() &&
                     huge_pages_.SmallOnesAreDear();
  const size_t more = whole ? WithWholeHugePages(bytes) : bytes;
  return Grow(block, more, moves) || block->bytes >= bytes ||
         (more != bytes && Grow(block, bytes, moves));
}

std::byte* HugeBlocks::Resize(std::byte* start, size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  // While it is resized the block is nobody's but ours: its owner has called.
  Block* const block = table_.LeaveMoved(start);
  if (block == nullptr) return nullptr;
  bool resized = true;
  if (bytes > block->bytes) {
    // Far longer blocks with small pages may be tables in which only few are used.
    const bool moves =
        MovesQuickly(block) || block->bytes > kMostCopied || block->account != nullptr;
    resized = GrowLive(block, bytes, moves);
    if (!resized && !moves) {
      if (std::byte* const copy = CopyLonger(block, bytes); copy != nullptr) return copy;
      resized = GrowLive(block, bytes, true);
    }
    NotePeak();
  } else if (block->account != nullptr || block->bytes != WithWholeHugePages(bytes)) {
    Split(block, bytes, os_->now());
  }
  start = block->start;
  table_.Enter(block);
  return resized ? start : nullptr;
}

size_t HugeBlocks::ResizeInPlace(std::byte* start, size_t bytes) {
  bytes = RoundUp(bytes, OsPageBytes());
  Block* const block = table_.LeaveMoved(start);  // as in Resize()
  if (block == nullptr) return 0;
  if (bytes < block->bytes) {
    Split(block, bytes, os_->now());
  } else if (bytes > block->bytes) {
    GrowHereOnly(block, bytes);
    NotePeak();
  }
  bytes = block->bytes;
  table_.Enter(block);
  return bytes;
}

HugeBlocks::Figures HugeBlocks::ReadFigures() {
  LockGuard guard(lock_);
  return {live_bytes(), cached_bytes() + leaving_.load(std::memory_order_relaxed), empty_bytes()};
}

void HugeBlocks::ForgetOthers() {
  slots_.Recount();
  const size_t known = table_.CountBytes() + cached_bytes();
  const size_t committed = committed_bytes();
  Uncommit(committed - std::min(committed, known));
  limit_->Uncommit(leaving_.exchange(0, std::memory_order_relaxed));
}

}  // namespace cma
