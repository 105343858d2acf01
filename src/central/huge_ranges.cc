#include "central/huge_ranges.h"

#include <algorithm>

#include "base/units.h"
#include "options/options.h"

namespace cma {
namespace {

// Ranges that have been freed within one part in so many of release_delay_ms count as of one age.
// Half and double are the same in huge_blocks/1.
constexpr Milliseconds kShareOfDelay = 8;

// Stretches of a bin that are looked at for one block. With half and double
// BM_HugeReplaceAmongMany's pattern, with 8,000 blocks, takes 0.97 and 1.03 of the time in the same
// memory.
constexpr size_t kMostSeen = 32;

bool AreAlike(const HugeBlock* left, const HugeBlock* right) {
  if (!left->IsOneStretchWith(right) || left->holds_memory != right->holds_memory) return false;
  if (!left->holds_memory) return true;  // there is nothing that could go back in time
  const auto [from, to] = std::minmax(left->idle_since, right->idle_since);
  return to - from <= g_options.release_delay_ms / kShareOfDelay;
}

// Adds up what holds no memory in a stretch, for addresses that do not go down.
class EmptySum {
 public:
  explicit EmptySum(HugeBlock* first) : range_(first) {}

  // The range that the address lies in, or ends if it is `end`; and what is empty before the
  // address.
  HugeBlock* RangeOf(const std::byte* address, bool end) {
    while (range_->end() < address || (!end && range_->end() == address)) {
      if (!range_->holds_memory) passed_ += range_->bytes;
      range_ = range_->next;
    }
    return range_;
  }
  size_t Before(const std::byte* address, bool end) {
    const HugeBlock* const range = RangeOf(address, end);
    return passed_ + (range->holds_memory ? 0 : static_cast<size_t>(address - range->start));
  }

 private:
  HugeBlock* range_;
  size_t passed_ = 0;
};

// Of the range and what lies behind it, or some of them from `enough` on.
size_t StretchBytes(const HugeBlock* first, size_t enough = ~size_t{0}) {
  const HugeBlock* last = first;
  const auto bytes = [&] { return static_cast<size_t>(last->end() - first->start); };
  while (bytes() < enough && last->next != nullptr && last->IsOneStretchWith(last->next)) {
    last = last->next;
  }
  return bytes();
}

HugeBlock* FirstOfStretch(HugeBlock* range) {
  while (range->prev != nullptr && range->prev->IsOneStretchWith(range)) range = range->prev;
  return range;
}

// Where in a stretch a block could lie, if that is better.
void ConsiderStretch(HugeBlock* first, size_t bytes, size_t alignment, HugeRanges::Place& best,
                     size_t& best_stretch) {
  const size_t stretch = first->stretch_bytes;
  const std::byte* const end = first->start + stretch;
  EmptySum starts[2] = {EmptySum(first), EmptySum(first)};
  EmptySum ends[2] = {EmptySum(first), EmptySum(first)};
  const auto Consider = [&](std::byte* start, size_t direction) {
    const size_t empty =
        ends[direction].Before(start + bytes, true) - starts[direction].Before(start, false);
    if (best.first == nullptr || empty < best.empty_bytes ||
        (empty == best.empty_bytes && stretch < best_stretch)) {
      best = {starts[direction].RangeOf(start, false), start, empty};
      best_stretch = stretch;
    }
  };
  for (HugeBlock* range = first; range != nullptr && range->start < end; range = range->next) {
    // From its start on.
    const size_t forth = -AddressOf(range->start) & (alignment - 1);
    const size_t room = static_cast<size_t>(end - range->start);
    if (forth < range->bytes && room - forth >= bytes) Consider(range->start + forth, 0);
    // Up to its end.
    const size_t upto = static_cast<size_t>(range->end() - first->start);
    if (upto < bytes) continue;
    std::byte* const start = range->end() - bytes;
    const size_t back = AddressOf(start) & (alignment - 1);
    if (back <= upto - bytes) Consider(start - back, 1);
  }
}

}  // namespace

void HugeRanges::Count(const HugeBlock* range, size_t bytes) {
  (range->holds_memory ? held_bytes_ : empty_bytes_).fetch_add(bytes, std::memory_order_relaxed);
}

HugeBlock* HugeRanges::NewLike(const HugeBlock& range, std::byte* start, size_t bytes) {
  auto* const block = static_cast<HugeBlock*>(metadata_->Take(sizeof(HugeBlock)));
  if (block == nullptr) return nullptr;
  *block = {};
  block->start = start;
  block->bytes = bytes;
  block->idle_since = range.idle_since;
  block->holds_memory = range.holds_memory;
  block->has_huge_pages = range.has_huge_pages;
  block->moved = range.moved;
  return block;
}

void HugeRanges::FileStretchOf(HugeBlock* range) {
  HugeBlock* const first = FirstOfStretch(range);
  first->stretch_bytes = StretchBytes(first);
  stretches_.Add(first);
}

void HugeRanges::UnfileStretchOf(HugeBlock* range) { stretches_.Remove(FirstOfStretch(range)); }

void HugeRanges::Remove(HugeBlock* range) {
  UnfileStretchOf(range);
  HugeBlock* const before = range->prev;
  HugeBlock* const after = range->next;
  Count(range, -range->bytes);
  ages_[range->holds_memory].Remove(range);
  by_address_.Remove(range);
  ranges_.Remove(range);
  if (before != nullptr && before->IsOneStretchWith(range)) FileStretchOf(before);
  if (after != nullptr && range->IsOneStretchWith(after)) FileStretchOf(after);
}

void HugeRanges::Discard(HugeBlock* range) {
  Remove(range);
  metadata_->Give(range, sizeof *range);
}

void HugeRanges::Insert(HugeBlock* range) {
  Count(range, range->bytes);
  HugeBlock* before = by_address_.LastBefore(range->start);
  HugeBlock* const after = before != nullptr ? before->next : ranges_.front();
  HugeBlock* joined[2] = {};
  if (before != nullptr && AreAlike(before, range)) joined[0] = before;
  if (after != nullptr && AreAlike(range, after)) joined[1] = after;
  HugeBlock* near = nullptr;
  for (HugeBlock* const other : joined) {
    if (other == nullptr) continue;
    range->start = std::min(range->start, other->start);
    range->bytes += other->bytes;
    // Memory is as old as the oldest part, so that none waits too long; addresses are as young as
    // the youngest.
    if (range->holds_memory != (other->idle_since < range->idle_since)) continue;
    range->idle_since = other->idle_since;
    near = other;
  }
  ages_[range->holds_memory].Add(range, near);
  if (joined[0] != nullptr) before = before->prev;
  for (HugeBlock* const other : joined) {
    if (other == nullptr) continue;
    Count(range, other->bytes);  // before it is discounted: it never seems to be missing
    Discard(other);
  }
  if (before != nullptr && before->IsOneStretchWith(range)) UnfileStretchOf(before);
  HugeBlock* const next = before != nullptr ? before->next : ranges_.front();
  if (next != nullptr && range->IsOneStretchWith(next)) UnfileStretchOf(next);
  ranges_.InsertAfter(before, range);
  by_address_.Add(range);
  FileStretchOf(range);
}

HugeRanges::Place HugeRanges::Find(size_t bytes, size_t alignment) {
  Place best;
  size_t best_stretch = 0;
  for (size_t bin = stretches_.FindFrom(HugeStretchBins::BinOf(bytes));
       bin < HugeStretchBins::kBins; bin = stretches_.FindFrom(bin + 1)) {
    size_t seen = 0;
    for (HugeBlock* first = stretches_.front(bin); first != nullptr; first = first->next_in_bin) {
      if (seen++ == kMostSeen) break;
      if (first->stretch_bytes < bytes) continue;
      ConsiderStretch(first, bytes, alignment, best, best_stretch);
    }
    if (best.first != nullptr && best.empty_bytes == 0) break;
  }
  return best;
}

HugeBlock* HugeRanges::CutOut(const Place& place, size_t bytes) {
  HugeBlock* range = place.first;
  const size_t front = static_cast<size_t>(place.start - range->start);
  HugeBlock* const block = NewLike(*range, place.start, bytes);
  if (block == nullptr) {
    if (front != 0 || range->bytes < bytes) return nullptr;
    // Only what was asked for has been committed.
    if (!range->holds_memory && range->bytes != bytes) return nullptr;
    Remove(range);
    range->holds_memory = true;
    return range;
  }
  block->holds_memory = true;
  if (front != 0) {
    HugeBlock* const rest = NewLike(*range, place.start, range->bytes - front);
    if (rest == nullptr) {
      metadata_->Give(block, sizeof *block);
      return nullptr;
    }
    Count(range, -rest->bytes);
    range->bytes = front;
    ages_[rest->holds_memory].Add(rest, range);
    ranges_.InsertAfter(range, rest);
    by_address_.Add(rest);
    Count(rest, rest->bytes);
    range = rest;
  }
  TakeOut(range, bytes);
  return block;
}

void HugeRanges::TakeOut(HugeBlock* range, size_t bytes) {
  while (bytes != 0) {
    HugeBlock* const next = range->next;
    const size_t taken = std::min(bytes, range->bytes);
    MoveFront(range, taken);
    bytes -= taken;
    range = next;
  }
}

HugeRanges::Behind HugeRanges::FindBehind(const HugeBlock& block, size_t bytes) {
  HugeBlock* const before = by_address_.LastBefore(block.end());
  HugeBlock* const range = before != nullptr ? before->next : ranges_.front();
  if (range == nullptr || !block.IsOneStretchWith(range)) return {};
  if (StretchBytes(range, bytes) >= bytes) {
    return {range, bytes, EmptySum(range).Before(block.end() + bytes, true)};
  }
  size_t held = 0;
  for (const HugeBlock* at = range; at->holds_memory; at = at->next) {
    held += at->bytes;
    if (at->next == nullptr || !at->IsOneStretchWith(at->next)) break;
  }
  return {range, held, 0};
}

HugeBlock* HugeRanges::FindToGrow(size_t bytes) {
  HugeBlock* best = nullptr;
  const size_t last = HugeStretchBins::BinOf(bytes / 2);
  for (size_t bin = HugeStretchBins::BinOf(bytes) + 1; bin-- > last && best == nullptr;) {
    size_t seen = 0;
    for (HugeBlock* first = stretches_.front(bin); first != nullptr; first = first->next_in_bin) {
      if (seen++ == kMostSeen) break;
      const std::byte* const end = first->start + first->stretch_bytes;
      for (HugeBlock* range = first; range != nullptr && range->start < end; range = range->next) {
        if (!range->holds_memory || range->bytes >= bytes || range->bytes < bytes / 2) continue;
        if (best == nullptr || range->bytes > best->bytes) best = range;
      }
    }
  }
  return best;
}

HugeBlock* HugeRanges::Oldest() const {
  HugeBlock* const held = OldestWithMemory();
  HugeBlock* const empty = OldestEmpty();
  if (held == nullptr || empty == nullptr) return held != nullptr ? held : empty;
  return held->idle_since < empty->idle_since ? held : empty;
}

HugeBlock* HugeRanges::TakeFront(HugeBlock* range, size_t bytes) {
  if (bytes < range->bytes) {
    if (HugeBlock* const front = NewLike(*range, range->start, bytes); front != nullptr) {
      MoveFront(range, bytes);
      return front;
    }
  }
  Remove(range);
  return range;
}

void HugeRanges::MoveFront(HugeBlock* range, size_t bytes) {
  if (bytes == range->bytes) return Discard(range);
  UnfileStretchOf(range);
  HugeBlock* const before = range->prev;
  const bool parts = before != nullptr && before->IsOneStretchWith(range);
  Count(range, -bytes);
  range->start += bytes;
  range->bytes -= bytes;
  FileStretchOf(range);
  if (parts) FileStretchOf(before);
}

}  // namespace cma
