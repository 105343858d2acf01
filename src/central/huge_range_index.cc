#include "central/huge_range_index.h"

#include <algorithm>
#include <bit>

namespace cma {

void HugeRangeTree::Add(HugeBlock* range) {
  random_ = random_ * 1664525 + 1013904223;
  range->rank = random_ >> 8;
  HugeBlock** at = &root_;
  while (*at != nullptr && (*at)->rank >= range->rank) {
    at = range->start < (*at)->start ? &(*at)->lower : &(*at)->higher;
  }
  // What was here goes under it, lower and higher ones apart.
  HugeBlock** lower = &range->lower;
  HugeBlock** higher = &range->higher;
  for (HugeBlock* rest = *at; rest != nullptr;) {
    if (rest->start < range->start) {
      *lower = rest;
      lower = &rest->higher;
      rest = rest->higher;
    } else {
      *higher = rest;
      higher = &rest->lower;
      rest = rest->lower;
    }
  }
  *lower = nullptr;
  *higher = nullptr;
  *at = range;
}

void HugeRangeTree::Remove(HugeBlock* range) {
  HugeBlock** at = &root_;
  while (*at != range) at = range->start < (*at)->start ? &(*at)->lower : &(*at)->higher;
  HugeBlock* lower = range->lower;
  HugeBlock* higher = range->higher;
  while (lower != nullptr && higher != nullptr) {
    if (lower->rank >= higher->rank) {
      *at = lower;
      at = &lower->higher;
      lower = lower->higher;
    } else {
      *at = higher;
      at = &higher->lower;
      higher = higher->lower;
    }
  }
  *at = lower != nullptr ? lower : higher;
}

HugeBlock* HugeRangeTree::LastBefore(const std::byte* address) const {
  HugeBlock* last = nullptr;
  for (HugeBlock* at = root_; at != nullptr;) {
    if (at->start < address) {
      last = at;
      at = at->higher;
    } else {
      at = at->lower;
    }
  }
  return last;
}

void HugeRangeAges::Add(HugeBlock* range, HugeBlock* near) {
  HugeBlock* older = near != nullptr ? near : youngest_;
  while (older != nullptr && older->idle_since > range->idle_since) older = older->older;
  HugeBlock* const younger = older != nullptr ? older->younger : oldest_;
  range->older = older;
  range->younger = younger;
  (older != nullptr ? older->younger : oldest_) = range;
  (younger != nullptr ? younger->older : youngest_) = range;
}

void HugeRangeAges::Remove(HugeBlock* range) {
  (range->older != nullptr ? range->older->younger : oldest_) = range->younger;
  (range->younger != nullptr ? range->younger->older : youngest_) = range->older;
}

size_t HugeStretchBins::BinOf(size_t bytes) {
  const size_t pages = std::max<size_t>(bytes >> 12, 4);
  const auto log = static_cast<size_t>(std::bit_width(pages)) - 1;
  return std::min((log - 2) * 4 + ((pages >> (log - 2)) & 3), kBins - 1);
}

void HugeStretchBins::Add(HugeBlock* first) {
  const size_t bin = BinOf(first->stretch_bytes);
  first->previous_in_bin = nullptr;
  first->next_in_bin = bins_[bin];
  if (bins_[bin] != nullptr) bins_[bin]->previous_in_bin = first;
  bins_[bin] = first;
  used_.Set(bin);
}

void HugeStretchBins::Remove(HugeBlock* first) {
  HugeBlock* const next = first->next_in_bin;
  if (next != nullptr) next->previous_in_bin = first->previous_in_bin;
  if (first->previous_in_bin != nullptr) {
    first->previous_in_bin->next_in_bin = next;
    return;
  }
  const size_t bin = BinOf(first->stretch_bytes);
  bins_[bin] = next;
  if (next == nullptr) used_.Clear(bin);
}

}  // namespace cma
