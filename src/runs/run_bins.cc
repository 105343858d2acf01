#include "runs/run_bins.h"

#include <algorithm>
#include <bit>

namespace cma {
namespace {

constexpr unsigned kSlotBits = 12;
static_assert(kSlotsPerSuperblock == 1u << kSlotBits);

uint32_t LinkTo(const Run& run) {
  return (run.superblock->number << kSlotBits | run.start / kGranulesPerSlot) + 1;
}

RunLinks& LinksOf(const Run& run) {
  return run.superblock->tables->links(run.start / kGranulesPerSlot);
}

uint32_t SlotOf(uint32_t link) { return (link - 1) & (kSlotsPerSuperblock - 1); }

// A rest is nothing, or long enough to be a run.
bool Splits(uint32_t rest) { return rest == 0 || rest >= kGranulesPerSlot; }

}  // namespace

size_t RunBins::BinOf(uint32_t length) {
  if (length < kExact) return length;
  const unsigned log = 31 ^ static_cast<unsigned>(__builtin_clz(length));
  return kExact + (log - kExactLog - 1) * 16 + (length >> (log - 4));
}

Superblock* RunBins::SuperblockOf(uint32_t link) const {
  return central_->FromNumber((link - 1) >> kSlotBits);
}

RunLinks& RunBins::LinksAt(uint32_t link) const {
  return SuperblockOf(link)->tables->links(SlotOf(link));
}

Run RunBins::Decode(uint32_t link) const {
  if (link == 0) return {};
  Superblock* const superblock = SuperblockOf(link);
  const uint32_t slot = SlotOf(link);
  const RunTag tag = superblock->tables->tag(slot);
  return {superblock, slot * kGranulesPerSlot + tag.offset / static_cast<uint32_t>(kGranuleBytes),
          tag.length};
}

uint32_t RunBins::Next(const Run& run) const { return LinksOf(run).next; }

void RunBins::Insert(const Run& run, Slot& slot) {
  const size_t bin = BinOf(run.length);
  const uint32_t head = heads_[bin];
  const uint32_t link = LinkTo(run);
  slot.links = {head, 0};
  heads_[bin] = link;
  if (head != 0) {
    LinksAt(head).prev = link;
  } else {
    occupied_.Set(bin);
  }
}

void RunBins::Remove(const Run& run, const Slot& slot) {
  const size_t bin = BinOf(run.length);
  const RunLinks links = slot.links;
  if (links.next != 0) LinksAt(links.next).prev = links.prev;
  if (links.prev != 0) {
    LinksAt(links.prev).next = links.next;
  } else {
    heads_[bin] = links.next;
    if (links.next == 0) occupied_.Clear(bin);
  }
}

Run RunBins::FindBestFit(uint32_t length) const {
  const size_t own = BinOf(length);
  if (length < kExact) {
    if (heads_[own] != 0) return Decode(heads_[own]);
  } else {
    Run run = Decode(heads_[own]);
    for (int i = 0; i < kProbes && run.length != 0; ++i, run = Decode(Next(run))) {
      // Blocks of the largest medium class too are exactly as long as their class says.
      if (run.length >= length && (length > kExact || Splits(run.length - length))) return run;
    }
  }
  // Shorter rests than a slot cannot be runs, so lengths just above are passed over.
  const size_t from = length < kExact ? BinOf(length + kGranulesPerSlot) : own + 1;
  const size_t bin = occupied_.FindFrom(from);
  if (bin == kBins) return {};
  const Run best = Decode(heads_[bin]);
  if (length < kExact) return best;
  // The lower of two runs has the lower link.
  uint32_t lowest = heads_[bin];
  const size_t longest =
      BinOf(std::min(best.length + best.length / kMoreForLower, kGranulesPerSuperblock));
  for (size_t i = occupied_.FindFrom(bin + 1); i <= longest; i = occupied_.FindFrom(i + 1)) {
    lowest = std::min(lowest, heads_[i]);
  }
  return lowest == heads_[bin] ? best : Decode(lowest);
}

bool RunBins::FitAligned(const Run& run, uint32_t length, uint32_t alignment, Place* place) {
  // As high as it goes, or, if that leaves a sliver above, as high as it goes with a run above.
  for (const uint32_t above : {0u, kGranulesPerSlot}) {
    if (run.length < length + above) return false;
    const uint32_t start = (run.end() - length - above) & ~(alignment - 1);
    if (start < run.start) return false;
    if (Splits(start - run.start) && Splits(run.end() - start - length)) {
      *place = {run, start};
      return true;
    }
  }
  return false;
}

RunBins::Place RunBins::FindAligned(uint32_t length, uint32_t alignment) const {
  Place place;
  for (size_t bin = occupied_.FindFrom(BinOf(length)); bin < kBins;
       bin = occupied_.FindFrom(bin + 1)) {
    Run run = Decode(heads_[bin]);
    for (int i = 0; i < kProbes && run.length != 0; ++i, run = Decode(Next(run))) {
      if (FitAligned(run, length, alignment, &place)) return place;
    }
  }
  return {};
}

}  // namespace cma
