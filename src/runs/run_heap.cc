#include "runs/run_heap.h"

#include <string.h>

#include <bit>

#include "options/options.h"

namespace cma {
namespace {

constexpr uint32_t kUnit = kUnitBytes / kGranuleBytes;

// With the first page of a huge one all of it comes.
void TouchHugePages(const Run& run) {
  if (!run.superblock->has_huge_pages) return;
  // What is idle of it came without being freed.
  run.superblock->needs_sweep = true;
  run.superblock->unswept_units = ~uint64_t{0};
  constexpr uint32_t kHugePage = kHugePageBytes / kGranuleBytes;
  const unsigned shift = OsPageShift() - kGranuleShift;
  run.superblock->touched.SetRange(RoundDown(run.start, kHugePage) >> shift,
                                   RoundUp(run.end(), kHugePage) >> shift);
}

// Takes the run that starts at `granule` out of its bin, if one does and it is free, to become part
// of the one before it; its length, or 0.
uint32_t TakeFreeAt(RunBins& bins, Superblock* superblock, uint32_t granule) {
  if (granule == kGranulesPerSuperblock) return 0;
  Slot& slot = SlotAt(superblock, granule);
  if (slot.tag.state != static_cast<uint32_t>(RunState::kFree)) return 0;
  const uint32_t length = slot.tag.length;
  bins.Remove({superblock, granule, length}, slot);
  slot.tag = {};
  return length;
}

}  // namespace

// Small pages before huge ones.
Run RunHeap::FindBestFit(uint32_t length) const {
  const Run best = bins_[0].FindBestFit(length);
  return best.length != 0 ? best : bins_[1].FindBestFit(length);
}

RunBins::Place RunHeap::FindAligned(uint32_t length, uint32_t alignment, Pages first) const {
  const auto kind = static_cast<size_t>(first);
  const RunBins::Place place = bins_[kind].FindAligned(length, alignment);
  return place.run.length != 0 ? place : bins_[1 - kind].FindAligned(length, alignment);
}

Pages RunHeap::PagesForNext(Pages best) const {
  if (superblock_count_ == 0) return Pages::kSmall;
  if (central_->SmallPagesAreDear()) return Pages::kHuge;
  return superblock_count_ < kSmallArena ? Pages::kSmall : best;
}

bool RunHeap::AddSuperblock(Pages pages, Ends used_first) {
  Superblock* superblock = central_->TakeSuperblock(pages, used_first);
  if (superblock == nullptr) return false;
  superblock->arena.store(static_cast<uint16_t>(owner_), std::memory_order_relaxed);
  superblock->needs_sweep = true;
  superblock->unswept_units = 1;
  superblock->sweep_unit = 0;
  superblock->sweep_page = 0;
  superblock->sweep_round = 0;  // rounds count from 1
  superblocks_.PushFront(superblock);
  ++superblock_count_;
  const Run whole = {superblock, 0, kGranulesPerSuperblock};
  WriteTags(whole, RunState::kFree);
  BinsOf(superblock).Insert(whole);
  CountFree(kGranulesPerSuperblock);
  return true;
}

void RunHeap::RemoveSuperblock(Superblock* superblock) {
  BinsOf(superblock).Remove({superblock, 0, kGranulesPerSuperblock});
  CountFree(-size_t{kGranulesPerSuperblock});
  superblocks_.Remove(superblock);
  --superblock_count_;
  if (empty_ == superblock) empty_ = nullptr;
  dense_writes_.Settle(central_->os(), superblock->base, kSuperblockBytes);
  superblock->arena.store(kNoArena, std::memory_order_relaxed);
  central_->GiveSuperblock(superblock, central_->os().now());
}

Run RunHeap::Carve(const Run& from, uint32_t start, uint32_t length, RunState state) {
  Superblock* const superblock = from.superblock;
  if (superblock == empty_) empty_ = nullptr;
  // What a sweep would find in the run it finds in each part.
  if ((superblock->unswept_units >> from.start / kUnit & 1) != 0) {
    superblock->unswept_units |= uint64_t{1} << start / kUnit;
    if (start + length < from.end()) {
      superblock->unswept_units |= uint64_t{1} << (start + length) / kUnit;
    }
  }
  RunBins& bins = BinsOf(superblock);
  Slot* slot = &SlotAt(superblock, from.start);
  bins.Remove(from, *slot);
  if (const Run front = {superblock, from.start, start - from.start}; front.length != 0) {
    WriteTags(front, *slot, RunState::kFree);
    bins.Insert(front, *slot);
    slot = &SlotAt(superblock, start);
  }
  Run used = {superblock, start, length};
  const Run rest = {superblock, used.end(), from.end() - used.end()};
  if (rest.length >= kGranulesPerSlot) {
    Slot& slot_of_rest = SlotAt(superblock, rest.start);
    WriteTags(rest, slot_of_rest, RunState::kFree);
    bins.Insert(rest, slot_of_rest);
  } else {
    used.length += rest.length;
  }
  WriteTags(used, *slot, state);
  CountFree(-size_t{used.length});
  return used;
}

void RunHeap::TouchPages(const Run& run, ZeroPages* zero_pages, size_t* untouched) {
  const unsigned shift = OsPageShift() - kGranuleShift;
  const size_t first = run.start >> shift;
  const size_t last = ((run.end() - 1) >> shift) + 1;
  Superblock* const superblock = run.superblock;
  if (zero_pages != nullptr && !central_->has_returned_lazily()) {
    for (size_t i = first; i < last && i - first < ZeroPages::kMax; ++i) {
      if (!superblock->touched.Test(i)) zero_pages->zero.Set(i - first);
    }
  }
  auto& aged = superblock->aged.words;
  size_t new_pages = 0;
  superblock->touched.ForRange(first, last, [&](uint64_t& touched, uint64_t mask) {
    if (const uint64_t fresh = mask & ~touched; fresh != 0) {
      new_pages += static_cast<size_t>(std::popcount(fresh));
      touched |= mask;
    }
    aged[&touched - superblock->touched.words] &= ~mask;
  });
  if (untouched != nullptr) *untouched = new_pages;
  TouchHugePages(run);
}

Run RunHeap::TakeRun(uint32_t length, uint32_t alignment, ZeroPages* zero_pages, Growth growth,
                     size_t* untouched) {
  Run used;
  for (;;) {
    if (alignment == 1) {
      if (const Run best = FindBestFit(length); best.length != 0) {
        used = Carve(best, best.start, length, RunState::kUsed);
        break;
      }
    } else if (const RunBins::Place place = FindAligned(length, alignment, Pages::kSmall);
               place.run.length != 0) {
      used = Carve(place.run, place.start, length, RunState::kUsed);
      break;
    }
    if (growth != Growth::kBySuperblocks) return {};
    // What is to be zero may stay unwritten.
    const Pages pages = zero_pages != nullptr ? Pages::kSmall : PagesForNext(Pages::kSmall);
    // Those that are aligned lie as high as they fit.
    if (!AddSuperblock(pages, alignment == 1 ? Ends::kLower : Ends::kUpper)) return {};
  }
  TouchPages(used, zero_pages, untouched);
  return used;
}

bool RunHeap::HasSlabRun() const {
  return FindAligned(kUnit, kUnit, Pages::kSmall).run.length != 0;
}

Run RunHeap::TakeSlabRun(Pages pages) {
  for (;;) {
    if (const RunBins::Place place = FindAligned(kUnit, kUnit, pages); place.run.length != 0) {
      const Run run = Carve(place.run, place.start, kUnit, RunState::kSlab);
      TouchHugePages(run);
      return run;
    }
    if (!AddSuperblock(PagesForNext(pages), Ends::kUpper)) return {};
  }
}

void RunHeap::GiveRun(Run run) {
  CountFree(run.length);
  RunBins& bins = BinsOf(run.superblock);
  run.length += TakeFreeAt(bins, run.superblock, run.end());
  Slot* slot = &SlotAt(run.superblock, run.start);
  if (const Run left = RunBefore(run); left.length != 0) {
    Slot& slot_of_left = SlotAt(run.superblock, left.start);
    if (slot_of_left.tag.state == static_cast<uint32_t>(RunState::kFree)) {
      bins.Remove(left, slot_of_left);
      slot->tag = {};
      slot = &slot_of_left;
      run = {run.superblock, left.start, left.length + run.length};
    }
  }
  WriteTags(run, *slot, RunState::kFree);
  bins.Insert(run, *slot);
  run.superblock->NoteForSweep(run.start / kUnit);
  if (run.length == kGranulesPerSuperblock) {
    if (empty_ != nullptr) {
      RemoveSuperblock(run.superblock);
    } else {
      empty_ = run.superblock;
    }
  }
}

void RunHeap::GiveAll() {
  while (Superblock* const superblock = superblocks_.front()) {
    for (uint32_t g = 0; g < kGranulesPerSuperblock;) {
      const Run run = RunAt(superblock, g);
      if (StateOf(run) == RunState::kFree) {
        BinsOf(superblock).Remove(run);
        CountFree(-size_t{run.length});
      }
      EraseStart(run);
      g = run.end();
    }
    const Run whole = {superblock, 0, kGranulesPerSuperblock};
    WriteTags(whole, RunState::kFree);
    BinsOf(superblock).Insert(whole);
    CountFree(kGranulesPerSuperblock);
    RemoveSuperblock(superblock);
  }
}

bool RunHeap::ResizeRun(Run run, uint32_t length, size_t* untouched) {
  RunBins& bins = BinsOf(run.superblock);
  const bool shrinks = length < run.length;
  CountFree(run.length);
  if (length > run.length) {
    const Run right = RunAfter(run);
    if (right.length == 0 || StateOf(right) != RunState::kFree ||
        run.length + right.length < length) {
      CountFree(-size_t{run.length});
      return false;
    }
    run.length += TakeFreeAt(bins, run.superblock, right.start);
  }
  Run rest = {run.superblock, run.start + length, run.length - length};
  if (rest.length >= kGranulesPerSlot) {
    run.length = length;
    // What is cut off a block is freed.
    if (shrinks && g_options.zero_on_free != 0) memset(rest.address(), 0, rest.bytes());
    // It may lie beside a free run already.
    rest.length += TakeFreeAt(bins, run.superblock, rest.end());
    WriteTags(rest, RunState::kFree);
    bins.Insert(rest);
    run.superblock->NoteForSweep(rest.start / kUnit);
  }
  CountFree(-size_t{run.length});
  WriteTags(run, RunState::kUsed);
  TouchPages(run, nullptr, untouched);
  return true;
}

}  // namespace cma
