// The huge blocks that wait: what they serve, how much memory they may hold, and giving it back.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/constants.h"
#include "central/huge_blocks.h"
#include "options/options.h"

namespace cma {
namespace {

// What is cut off a block stays: it may grow into it again, or join it when it is freed.
// realloc_ladder/1 has 135 page faults per 1,000 operations if only pieces of 1 MiB stay, 44 with
// 128 KiB, and 8; half is the same.
constexpr size_t kSmallestPiece = 64 * kKiB;

// Bytes of memory that may wait in any case: a base, and so much of what is live, up to a bound.
// The bound holds as well for what waits beyond the heap's peak, which would show as peak memory,
// and for all that waits where no thread returns it. Half and double of the first are the same in
// huge_blocks/1 and realloc_ladder/1, the second was chosen by huge_blocks/1 and /2, the third is
// seen nowhere.
constexpr size_t kCacheBytes = 16 * kMiB;
constexpr size_t kCacheShareOfLive = 4;
constexpr size_t kMostBeyondPeak = 256 * kMiB;

// What fills the heap up to its peak may wait, and one part in so many of the peak more: what waits
// in ranges of other lengths than are wanted would give its memory back, only to fetch it again at
// once. Chosen by huge_blocks/1.
constexpr size_t kShareBeyondPeak = 4;

// So many times release_delay_ms the heap's peak is remembered at least: what waits is used within
// two of them or goes back. No benchmark tells.
constexpr Milliseconds kPeakDelays = 2;

// Beyond the bytes of the block at hand, so many more give their memory back in one call, where the
// bound beyond the peak has become lower: 1 ms. No benchmark tells.
constexpr size_t kMoreToEmpty = 16 * kMiB;

// Bytes that are unmapped at once: what lies side by side has no bound, and 64 MiB of small pages
// take 6 ms. Half and double the same in huge_blocks/1.
constexpr size_t kMostUnmapped = 64 * kMiB;

// Pieces without memory that take about as long to unmap as one with. Half and double the same in
// huge_blocks/1.
constexpr size_t kEmptyPieces = 16;

// Bytes that may wait on all CPUs together, and on each, however many there are. No benchmark on two
// CPUs tells.
constexpr size_t kMostOnCpus = 64 * kMiB;
constexpr size_t kLeastOnCpu = 4 * kMiB;

// Addresses without memory that may wait, in bytes: so many, and as many as are live. Half and
// double are the same in huge_blocks/1.
constexpr size_t kEmptyBytes = 64 * kMiB;

// Bytes that may wait where so many are live, in any case.
size_t ShareThatWaits(size_t live) {
  return std::min(kCacheBytes + live / kCacheShareOfLive, kMostBeyondPeak);
}

}  // namespace

// Whether a block may wait on the CPU: all together have no more than so much, or little.
bool HugeBlocks::FitsOnCpu(uint32_t cpu, size_t bytes) const {
  const size_t on_all = bytes * slots_.CountWith(cpu);
  return (on_all <= kMostOnCpus || bytes <= kLeastOnCpu) &&
         on_all <= g_options.huge_cache_mib * kMiB;
}

// What was freed last on the CPU, if it serves: it is just as long, or somebody has the lock and it
// is less than twice as long. Then the rest stays there, and the block will join it again.
HugeBlocks::Block* HugeBlocks::TakeFrom(Block* range, size_t bytes, size_t alignment) {
  if (AddressOf(range->start) % alignment != 0 || range->bytes < bytes) return nullptr;
  if (range->bytes == bytes) return range;
  if (range->bytes / 2 >= bytes || !lock_.IsHeld()) return nullptr;
  Block* const block = NewBlock(range->start, bytes);
  if (block == nullptr) return nullptr;
  block->has_huge_pages = range->has_huge_pages;
  block->moved = range->moved;
  range->start += bytes;
  range->bytes -= bytes;
  range->is_rest = true;
  PutOnCpu(range);
  return block;
}

// What was there goes to the others that wait, unless the block was cut off it: then they join.
void HugeBlocks::PutOnCpu(Block* block) {
  const uint32_t cpu = os_->cpu();
  const size_t bytes = block->bytes;
  const Milliseconds idle_since = block->idle_since;
  Block* displaced = slots_.Take(cpu);
  if (displaced != nullptr && displaced->is_rest && block->IsOneStretchWith(displaced)) {
    displaced->start = block->start;
    displaced->bytes += bytes;
    displaced->idle_since = idle_since;
    displaced->is_rest = false;
    metadata_->Give(block, sizeof *block);
    block = std::exchange(displaced, nullptr);
  }
  // From here on the block may be another thread's.
  Block* const of_other_thread = slots_.Put(cpu, block);
  if (of_other_thread != nullptr) Cache(of_other_thread);
  if (displaced != nullptr) return Cache(displaced);
  // Where little may wait the CPUs are summed up; else what is on the others counts as live.
  const size_t waits =
      g_options.huge_cache_mib * kMiB < kMostOnCpus ? cached_bytes() : free_.held_bytes() + bytes;
  if (waits <= LeastThatMayWait(waits)) return;
  bool too_much;
  {
    LockGuard guard(lock_);
    PassTime(idle_since);
    too_much = HoldsTooMuch();
  }
  if (too_much) Trim(bytes, UpTo::kBeyondPeak);
}

// Makes a block of what is free, as much of it with memory as there is; nullptr if there is no
// place or the limit refuses. `exactly`: not a byte more.
HugeBlocks::Block* HugeBlocks::TakeFree(size_t bytes, size_t alignment, Contents contents,
                                        bool exactly) {
  Block* const range = slots_.Take(os_->cpu());
  if (range == nullptr && cached_bytes() + empty_bytes() == 0) return nullptr;
  Block* block = range != nullptr ? TakeFrom(range, bytes, alignment) : nullptr;
  size_t empty_bytes = 0;
  if (block == nullptr) {
    LockGuard guard(lock_);
    if (range != nullptr) free_.Insert(range);
    block = CutOutFree(bytes, alignment, contents, &empty_bytes);
    if (block == nullptr) return nullptr;
    peak_in_use_.Note(InUse());
  }
  if (block->bytes != bytes) {  // for lack of descriptors
    Split(block, bytes, block->idle_since);
    if (exactly && block->bytes != bytes) {  // munmap was refused
      Cache(block);
      return nullptr;
    }
  }
  if (empty_bytes != 0) MakeRoom(empty_bytes, UpTo::kBeyondPeak);
  if (contents == Contents::kZero) {
    memset(block->start, 0, bytes);
  } else if (empty_bytes > bytes / 2) {
    if (empty_bytes == bytes && !block->has_huge_pages) AdviseHuge(block);
    Populate(block, 0);
  }
  return block;
}

// Whether there was one.
bool HugeBlocks::FileSlots() {
  bool any = false;
  slots_.TakeAll([&](Block* block) {
    free_.Insert(block);
    any = true;
  });
  return any;
}

// Huge pages stay whole at their multiples. But what is there already is worth more than that.
HugeRanges::Place HugeBlocks::FindFree(size_t bytes, size_t alignment) {
  const HugeRanges::Place whole = free_.Find(bytes, AlignmentFor(bytes, alignment));
  if (whole.first != nullptr && whole.empty_bytes <= bytes / 2) return whole;
  const HugeRanges::Place any = free_.Find(bytes, alignment);
  if (any.first == nullptr || (whole.first != nullptr && whole.empty_bytes <= any.empty_bytes)) {
    return whole;
  }
  return any;
}

HugeBlocks::Block* HugeBlocks::CutOutFree(size_t bytes, size_t alignment, Contents contents,
                                          size_t* empty_bytes) {
  HugeRanges::Place place = FindFree(bytes, alignment);
  // Other CPUs lose what they have at hand only where it may be of help.
  const size_t missing = place.first == nullptr ? bytes : place.empty_bytes;
  if (missing != 0 && missing / 8 <= slots_.bytes() && FileSlots()) {
    place = FindFree(bytes, alignment);
  }
  *empty_bytes = place.empty_bytes;
  if (place.first == nullptr) return nullptr;
  // All of it will be cleared. Fresh pages need not be.
  if (contents == Contents::kZero && place.empty_bytes > bytes / 2) return nullptr;
  if (place.empty_bytes != 0 && !Commit(place.empty_bytes)) return nullptr;
  Block* const block = free_.CutOut(place, bytes);
  if (block == nullptr && place.empty_bytes != 0) Uncommit(place.empty_bytes);
  return block;
}

// A block that is too short, but by less than half, and is made longer.
HugeBlocks::Block* HugeBlocks::TakeFreeAndGrow(size_t bytes) {
  if (free_.held_bytes() == 0) return nullptr;
  Block* block;
  {
    LockGuard guard(lock_);
    block = free_.FindToGrow(bytes);
    if (block == nullptr) return nullptr;
    free_.Remove(block);
  }
  if (Grow(block, bytes, MovesQuickly(block))) return block;
  Cache(block);
  return nullptr;
}

// Cuts a block that is not in the table or free down to `bytes`; the rest counts as idle since
// then.
void HugeBlocks::Split(Block* block, size_t bytes, Milliseconds rest_idle_since) {
  const size_t rest = block->bytes - bytes;
  if (rest == 0) return;
  if (rest >= kSmallestPiece && KeepsFreed()) {
    if (Block* tail = NewBlock(block->start + bytes, rest); tail != nullptr) {
      tail->has_huge_pages = block->has_huge_pages;
      tail->moved = block->moved;
      tail->idle_since = rest_idle_since;
      block->bytes = bytes;
      Cache(tail);
      return;
    }
  }
  SettleMarks(block->start + bytes, rest);
  if (os_->unmap(block->start + bytes, rest)) {
    block->bytes = bytes;
    Uncommit(rest);
  }
}

// By what lies free right behind it, up to `bytes`: that takes no call to the OS.
void HugeBlocks::GrowByFree(Block* block, size_t bytes) {
  const uint32_t cpu = os_->cpu();
  Block* range = slots_.Take(cpu);
  // What lies elsewhere is of no use.
  if (range != nullptr && !block->IsOneStretchWith(range)) range = slots_.Put(cpu, range);
  HugeRanges::Behind behind;
  {
    LockGuard guard(lock_);
    if (range != nullptr) free_.Insert(range);
    behind = free_.FindBehind(*block, bytes - block->bytes);
    if (behind.first == nullptr || (behind.empty_bytes != 0 && !Commit(behind.empty_bytes))) return;
    free_.TakeOut(behind.first, behind.bytes);
  }
  block->bytes += behind.bytes;
  if (behind.empty_bytes != 0) MakeRoom(behind.empty_bytes, UpTo::kBeyondPeak);
}

// Puts a block with memory, which is not in the table, among what waits.
void HugeBlocks::Cache(Block* block) {
  const Milliseconds now = os_->now();
  const size_t bytes = block->bytes;
  bool too_much;
  {
    LockGuard guard(lock_);
    PassTime(now);
    peak_in_use_.Note(InUse());
    free_.Insert(block);  // which may be a part of another one then
    too_much = HoldsTooMuch();
  }
  if (too_much) Trim(bytes, UpTo::kBeyondPeak);
}

HugeBlocks::Moment HugeBlocks::Look() const {
  const size_t cached = cached_bytes();
  const size_t committed = committed_bytes();
  const size_t all_committed = limit_->committed();
  return {cached, committed - std::min(committed, cached),
          all_committed - std::min(all_committed, cached)};
}

bool HugeBlocks::HasTooManyAddresses(size_t live) const {
  return empty_bytes() > kEmptyBytes + live && !WasRefusedLately();
}

bool HugeBlocks::HoldsTooMuch() const {
  const Moment moment = Look();
  return moment.cached > MostThatWaits(moment, UpTo::kBeyondPeak) ||
         HasTooManyAddresses(moment.live);
}

// What may wait in any case where so much does.
size_t HugeBlocks::LeastThatMayWait(size_t waits) const {
  const size_t live = committed_bytes() - std::min(committed_bytes(), waits);
  return std::min<size_t>(ShareThatWaits(live), g_options.huge_cache_mib * kMiB);
}

// What the heap has committed without what waits here. What was freed last on each CPU counts as in
// use: nobody notes when it is so again.
size_t HugeBlocks::InUse() const {
  const size_t committed = limit_->committed();
  return committed - std::min(committed, free_.held_bytes());
}

void HugeBlocks::PassTime(Milliseconds now) {
  peak_in_use_.Pass(now, kPeakDelays * g_options.release_delay_ms, InUse());
}

// What fills the heap up to what it lately was adds nothing to its peak, and the share beyond it
// little. Without a thread that returns it in time it might stay.
size_t HugeBlocks::MostThatWaits(const Moment& moment, UpTo up_to) const {
  size_t peak = peak_in_use_.peak();
  if (up_to == UpTo::kBeyondPeak) peak += std::min(peak / kShareBeyondPeak, kMostBeyondPeak);
  size_t up_to_peak = peak - std::min(peak, moment.in_use);
  if (g_options.background_thread == 0) up_to_peak = std::min(up_to_peak, kMostBeyondPeak);
  return std::min<size_t>(std::max(ShareThatWaits(moment.live), up_to_peak),
                          g_options.huge_cache_mib * kMiB);
}

// What must give its memory back so that no more than that waits, or a part of it, about `limit`
// bytes at most; nullptr if nothing must.
HugeBlocks::Block* HugeBlocks::TakeToEmpty(size_t limit, UpTo up_to) {
  if (limit == 0) return nullptr;
  LockGuard guard(lock_);
  const Moment moment = Look();
  const size_t most = MostThatWaits(moment, up_to);
  const size_t held = moment.cached;
  if (held <= most) return nullptr;
  Block* oldest = free_.OldestWithMemory();
  if (oldest == nullptr && FileSlots()) oldest = free_.OldestWithMemory();
  if (oldest == nullptr) return nullptr;  // another thread was faster
  // Not a part of a huge page.
  std::byte* const end = oldest->start + std::min(held - most, limit);
  const size_t bytes =
      static_cast<size_t>(end - oldest->start) + (-AddressOf(end) & (kHugePageBytes - 1));
  Block* const block = free_.TakeFront(oldest, bytes);
  NoteLeaving(block);
  return block;
}

HugeBlocks::Block* HugeBlocks::TakeOldestEmpty() {
  LockGuard guard(lock_);
  Block* const oldest = free_.OldestEmpty();
  if (oldest != nullptr) free_.Remove(oldest);
  return oldest;
}

HugeBlocks::Block* HugeBlocks::TakeOldest(Milliseconds now, Milliseconds age, bool with_memory) {
  LockGuard guard(lock_);
  Block* const oldest = with_memory ? free_.OldestWithMemory() : free_.Oldest();
  if (oldest == nullptr || !HasAged(oldest->idle_since, now, age)) return nullptr;
  Block* const block = free_.TakeFront(oldest, kMostUnmapped);
  NoteLeaving(block);
  return block;
}

void HugeBlocks::PutBack(Block* block) {
  LockGuard guard(lock_);
  free_.Insert(block);
}

// REQUIRES: the block is leaving.
void HugeBlocks::Empty(Block* block) {
  if (!EmptyOrUnmap(block)) PutBack(block);
}

void HugeBlocks::Trim(size_t limit, UpTo up_to) {
  if (up_to == UpTo::kBeyondPeak) limit += kMoreToEmpty;
  while (Block* const block = TakeToEmpty(limit, up_to)) {
    limit -= std::min(limit, block->bytes);
    Empty(block);
  }
  // Addresses, of which there are more.
  while (HasTooManyAddresses(live_bytes())) {
    Block* const block = TakeOldestEmpty();
    if (block == nullptr) return;
    if (!UnmapOrKeep(block)) PutBack(block);
  }
}

void HugeBlocks::MakeRoom(size_t limit, UpTo up_to) {
  if (cached_bytes() <= kCacheBytes) return;
  {
    LockGuard guard(lock_);
    PassTime(os_->now());
  }
  Trim(limit, UpTo::kBeyondPeak);
  // Whole huge pages go: a block that grows by little again and again would cost one each time.
  if (up_to == UpTo::kPeak && limit >= kHugePageBytes) Trim(limit, UpTo::kPeak);
}

// Whether what is freed may wait in the cache, with what the program has written there.
bool HugeBlocks::KeepsFreed() const {
  return g_options.release_delay_ms != 0 && g_options.zero_on_free == 0 &&
         !limit_->IsOverSoftLimit() && !limit_->IsOverHardLimit();
}

// A block that is freed.
void HugeBlocks::PutAway(Block* block) {
  block->idle_since = os_->now();
  if (!KeepsFreed()) {
    NoteLeaving(block);
    if (!UnmapOrKeep(block)) PutBack(block);
    return;
  }
  if (!FitsOnCpu(os_->cpu(), block->bytes)) return Cache(block);
  block->is_rest = false;
  PutOnCpu(block);
}

size_t HugeBlocks::Release(Milliseconds now, Milliseconds age, size_t limit) {
  {
    LockGuard guard(lock_);
    slots_.TakeAged(now, age, [&](Block* block) { free_.Insert(block); });
  }
  size_t bytes = 0;
  // At any age it is in need, or by order. What is refused waits here, so that others have a turn.
  const bool unmaps = age == 0 || MayUnmapAged();
  Block* kept = nullptr;
  for (size_t empty = 0; limit > 0;) {
    Block* const oldest = TakeOldest(now, age, !unmaps);
    if (oldest == nullptr) break;
    const size_t its_bytes = oldest->bytes;
    const bool held = oldest->holds_memory;
    if (held || ++empty % kEmptyPieces == 0) --limit;
    const bool unmapped = unmaps ? UnmapOrKeep(oldest) : EmptyOrUnmap(oldest);
    if (unmapped || (held && !oldest->holds_memory)) bytes += its_bytes;
    if (unmapped) continue;
    oldest->chain = kept;
    kept = oldest;
  }
  while (kept != nullptr) {
    Block* const block = kept;
    kept = block->chain;
    PutBack(block);
  }
  return bytes;
}

}  // namespace cma
