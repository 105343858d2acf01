// The representation of runs: which granules of a superblock belong together. Tags lie outside
// of user memory. No policy here; all functions are for the holder of the superblock's lock
// unless said otherwise.
//
// Invariant: the runs of a superblock tile it, and none is shorter than a slot. So a slot holds
// the start of one run at most, and the end of one.
#ifndef CMA_RUNS_BOUNDARY_TAGS_H_
#define CMA_RUNS_BOUNDARY_TAGS_H_

#include <bit>

#include "central/superblock.h"

namespace cma {

// A run of `superblock`: granules [start, start + length). length 0: no run.
struct Run {
  Superblock* superblock = nullptr;
  uint32_t start = 0;
  uint32_t length = 0;

  uint32_t end() const { return start + length; }
  std::byte* address() const { return superblock->base + (size_t{start} << kGranuleShift); }
  size_t bytes() const { return size_t{length} << kGranuleShift; }
};

// What is known of the run that starts at `granule`.
inline Slot& SlotAt(Superblock* superblock, uint32_t granule) {
  return superblock->tables->WithStart(granule / kGranulesPerSlot);
}
inline RunTag& TagAt(Superblock* superblock, uint32_t granule) {
  return SlotAt(superblock, granule).tag;
}

inline RunState StateOf(const Run& run) {
  return static_cast<RunState>(TagAt(run.superblock, run.start).state);
}

// `slot`: of its start.
inline void WriteTags(const Run& run, Slot& slot, RunState state) {
  slot.tag = {run.length, static_cast<uint32_t>(state), 0,
              static_cast<uint32_t>(run.start % kGranulesPerSlot * kGranuleBytes)};
  run.superblock->tables->run_ending_in((run.end() - 1) / kGranulesPerSlot) =
      static_cast<uint16_t>(run.start);
}

inline void WriteTags(const Run& run, RunState state) {
  WriteTags(run, SlotAt(run.superblock, run.start), state);
}

// The run that no longer starts here has become part of the one before it.
inline void EraseStart(const Run& run) { TagAt(run.superblock, run.start) = {}; }

// The run that starts at `granule`. REQUIRES: one does.
inline Run RunAt(Superblock* superblock, uint32_t granule) {
  return {superblock, granule, TagAt(superblock, granule).length};
}

// Neighbours; length 0 at the superblock's edges.
inline Run RunAfter(const Run& run) {
  if (run.end() == kGranulesPerSuperblock) return {};
  return RunAt(run.superblock, run.end());
}
inline Run RunBefore(const Run& run) {
  if (run.start == 0) return {};
  const uint32_t start = run.superblock->tables->run_ending_in((run.start - 1) / kGranulesPerSlot);
  return {run.superblock, start, run.start - start};
}

// Length in granules of the used run that starts exactly at `address`, 0 if none does. Any thread
// may ask for a block it holds: the tag of a live block does not change.
// REQUIRES: the address is in the superblock.
inline uint32_t UsedGranulesAt(Superblock* superblock, uintptr_t address) {
  const auto slot = static_cast<uint32_t>(address % kSuperblockBytes / kSlotBytes);
  const auto tag = std::bit_cast<uint32_t>(superblock->tables->tag(slot));
  // Shifted to the tag's highest bits, the address's offset in the slot cancels the tag's. What is
  // left, if that is right to the byte, is the state and the length.
  constexpr unsigned kOffsetShift = 22;
  static_assert(kSlotBytes == size_t{1} << (32 - kOffsetShift));
  constexpr uint32_t kUsed = static_cast<uint32_t>(RunState::kUsed) << 17;
  const uint32_t length = (tag ^ static_cast<uint32_t>(address) << kOffsetShift) - kUsed;
  return length <= kGranulesPerSuperblock ? length : 0;
}

// The used run that starts exactly at `address`; length 0 if none does. As above.
inline Run UsedRunAt(Superblock* superblock, const void* address) {
  const uint32_t length = UsedGranulesAt(superblock, AddressOf(address));
  if (length == 0) return {};
  const size_t offset = AddressOf(address) - AddressOf(superblock->base);
  return {superblock, static_cast<uint32_t>(offset >> kGranuleShift), length};
}

}  // namespace cma

#endif  // CMA_RUNS_BOUNDARY_TAGS_H_
