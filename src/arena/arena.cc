#include "arena/arena.h"

#include <string.h>

#include <algorithm>
#include <bit>

#include "options/options.h"
#include "report/fault.h"
#include "slabs/mixed_slab.h"

namespace cma {
namespace {

// Bytes that all depots of an arena may hold: depot_kib, and so much of what it has. Half and
// double the same in batch_order/1 and steady_random/1.
constexpr size_t kDepotShareOfSuperblocks = 32;

// Batches, taken from anywhere or given to depots, after which a depot is idle. Not varied.
constexpr uint32_t kIdleAfterBatches = 32;

uint32_t GranulesOf(size_t bytes) {
  return static_cast<uint32_t>((bytes + kGranuleBytes - 1) >> kGranuleShift);
}

// Which list the slab belongs into: by the quarter that the share of free blocks is in, or, if it is
// mixed, by the length of its longest hole; kNotListed if it has no free block.
uint8_t FullnessOf(const Slab* slab) {
  if (slab->is_mixed) {
    return slab->longest_hole == 0 ? kNotListed
                                   : static_cast<uint8_t>(std::bit_width(slab->longest_hole) - 1);
  }
  const uint32_t free_quarters = uint32_t{slab->free_blocks} * 4;
  const uint32_t capacity = slab->capacity;
  if (free_quarters == 0) return kNotListed;
  return static_cast<uint8_t>((free_quarters > capacity) + (free_quarters > 2 * capacity) +
                              (free_quarters > 3 * capacity));
}

}  // namespace

IntrusiveList<Slab>& Arena::ListOf(const Slab* slab, uint8_t fullness) {
  return slab->is_mixed ? mixed_[fullness] : partial_[slab->size_class][fullness];
}

Slab* Arena::FullestSlab(SizeClass c) {
  for (IntrusiveList<Slab>& list : partial_[c]) {
    if (Slab* slab = list.front(); slab != nullptr) return slab;
  }
  return nullptr;
}

Slab* Arena::AddSlab(SizeClass c) {
  const size_t superblocks = runs_.superblock_count();
  const Run run = runs_.TakeSlabRun(PagesFor(c));
  if (run.length == 0) return nullptr;
  if (runs_.superblock_count() != superblocks) Pack();
  Slab* slab = MakeSlab(run, c);
  ++slabs_;
  ++slabs_of_class_[c];
  slab_block_bytes_ += BlockBytes(*slab);
  runs_.central().map().SetUnit(AddressOf(slab->base), AddressMap::OwnerTag(id_) | c,
                                kReciprocal[c]);
  return slab;
}

void Arena::RemoveSlab(Slab* slab) {
  if (slab->fullness != kNotListed) ListOf(slab, slab->fullness).Remove(slab);
  runs_.central().map().ClearUnit(AddressOf(slab->base));
  --slabs_;
  if (slab->is_mixed) {
    CountMixed(-1u);
  } else {
    --slabs_of_class_[slab->size_class];
  }
  slab_block_bytes_ -= BlockBytes(*slab);
  runs_.GiveRun(UnmakeSlab(slab));
}

// Puts the slab into the list that what it has free asks for.
void Arena::Relist(Slab* slab) {
  const uint8_t fullness = FullnessOf(slab);
  if (fullness == slab->fullness) return;
  if (slab->fullness != kNotListed) ListOf(slab, slab->fullness).Remove(slab);
  slab->fullness = fullness;
  if (fullness != kNotListed) ListOf(slab, fullness).PushFront(slab);
}

size_t Arena::TakeSmall(SizeClass c, std::byte** out, size_t want, Growth growth,
                        PageRange* ahead) {
  std::byte** const end = out + want;
  size_t n = 0;
  while (n < want) {
    Slab* slab = FullestSlab(c);
    if (slab == nullptr) {
      // A batch need not be full: a slab is opened for the first block only.
      if (n > 0 || growth == Growth::kNone) break;
      n = TakeMixed(c, end, want, growth);
      if (n > 0 || (growth != Growth::kBySuperblocks && !runs_.HasSlabRun())) break;
      slab = AddSlab(c);
      if (slab == nullptr) break;
    }
    const uint16_t touched = slab->touched_pages;
    n += TakeFromSlab(slab, end - n, want - n);
    if (slab->touched_pages != touched && slabs_of_class_[c] > 1 && ahead != nullptr) {
      FetchAhead(slab, touched, end[-1], ahead);
    }
    Relist(slab);
  }
  small_lent_bytes_ += n * ClassBytes(c);
  if (n < want) memmove(out, end - n, n * sizeof *out);
  return n;
}

size_t Arena::TakeMedium(SizeClass c, std::byte** out, size_t want, Growth growth,
                         PageRange* ahead) {
  const uint32_t length = GranulesOf(ClassBytes(c));
  size_t n = 0;
  for (; n < want; ++n) {
    size_t untouched = 0;
    const Run run = runs_.TakeRun(length, 1, nullptr, growth, &untouched);
    if (run.length == 0) break;
    if (untouched > 1 && ahead != nullptr && IsLarge()) FetchAhead(run, untouched, ahead);
    CountLent(run.bytes());
    out[n] = run.address();
  }
  std::reverse(out, out + n);
  return n;
}

size_t Arena::TakeBlocks(SizeClass c, std::byte** out, size_t want, Growth growth,
                         PageRange* ahead) {
  if (HasPost()) DrainInbox();
  ++batches_;
  if (Depot& depot = depots_[c]; depot.count != 0) {
    const size_t n = std::min<size_t>(want, depot.count);
    depot.count -= static_cast<uint32_t>(n);
    depot.used = batches_;
    depot.least = std::min(depot.least, depot.count);
    depot_bytes_ -= n * ClassBytes(c);
    memcpy(out, depot.blocks + depot.count, n * sizeof *out);
    return n;
  }
  return c < kSmallClasses ? TakeSmall(c, out, want, growth, ahead)
                           : TakeMedium(c, out, want, growth, ahead);
}

size_t Arena::TakeLines(SizeClass c, std::byte** out, size_t want) {
  if (depots_[c].count != 0) return 0;
  for (const IntrusiveList<Slab>& list : partial_[c]) {
    Slab* const slab = list.front();
    const size_t n = slab != nullptr ? TakeLinesFromSlab(slab, out + want, want) : 0;
    if (n == 0) continue;
    Relist(slab);
    small_lent_bytes_ += n * ClassBytes(c);
    if (n < want) memmove(out, out + want - n, n * sizeof *out);
    return n;
  }
  return 0;
}

// Whether one that is empty may go at once.
bool Arena::MayGoWhenEmpty(const Slab* slab) const {
  if (slab->is_mixed) return true;
  for (const IntrusiveList<Slab>& list : partial_[slab->size_class]) {
    if (list.front() != nullptr && list.front() != slab) return true;
  }
  return false;
}

// Takes the first blocks back, as far as they lie in this slab; how many.
size_t Arena::GiveToOneSlab(Slab* slab, std::byte* const* blocks, size_t count) {
  size_t n;
  size_t bytes;
  if (slab->is_mixed) {
    n = GiveToMixedSlab(slab, blocks, count, &bytes);
  } else {
    n = GiveToSlab(slab, blocks, count);
    bytes = n * slab->block_bytes;
  }
  small_lent_bytes_ -= bytes;
  slab->superblock->NoteForSweep(AddressOf(slab->base) % kSuperblockBytes / kUnitBytes);
  Relist(slab);
  // The last slab of a class stays until a sweep finds it empty.
  if (slab->free_blocks == slab->capacity && MayGoWhenEmpty(slab)) RemoveSlab(slab);
  return n;
}

// For a class and a slab's fullness, kNotListed as 0 and the others one higher: the number of free
// blocks from which on it belongs into another list, or may go.
constexpr auto kNextListFrom = [] {
  std::array<std::array<uint16_t, 5>, kSmallClasses> table{};
  for (SizeClass c = 1; c < kSmallClasses; ++c) {
    const size_t capacity = kUnitBytes / ClassBytes(c);
    table[c] = {1, static_cast<uint16_t>(capacity / 4 + 1), static_cast<uint16_t>(capacity / 2 + 1),
                static_cast<uint16_t>(capacity * 3 / 4 + 1), static_cast<uint16_t>(capacity)};
  }
  return table;
}();

// Blocks of mixed slabs that are on their way at once. Half and double are within the
// noise of fragmentation_ager/1.
constexpr size_t kMixedAhead = 4;

inline void Arena::GiveOneMixed(Superblock* superblock, std::byte* block, SizeClass c) {
  const size_t unit = AddressOf(block) % kSuperblockBytes / kUnitBytes;
  Slab* const slab = &superblock->tables->slabs[unit];
  GiveOneToMixedSlab(slab, block, c);
  superblock->NoteForSweep(unit);
  Relist(slab);
  if (slab->free_blocks == kPiecesPerSlab) RemoveSlab(slab);
}

// Each may lie in another slab, and then in memory that is in no cache: many are to be under way at
// once, so there is little between one and the next.
void Arena::GiveSmall(SizeClass c, std::byte* const* blocks, size_t count) {
  const AddressMap& map = runs_.central().map();
  const uint32_t slab_entry = AddressMap::OwnerTag(id_) | c;
  const size_t capacity = kUnitBytes / ClassBytes(c);
  const auto& next_list_from = kNextListFrom[c];
  std::byte* const* const end = blocks + count;
  size_t lent_bytes = small_lent_bytes_;
  while (blocks != end) {
    const uintptr_t first = AddressOf(*blocks);
    const uint32_t entry = AddressMap::SettledUnit(first);
    if (entry != slab_entry) [[unlikely]] {
      if (entry == AddressMap::OwnerTag(id_)) {
        if (blocks + kMixedAhead < end) PrefetchForGive(map, blocks[kMixedAhead]);
        GiveOneMixed(map.SuperblockOfSlab(first), *blocks++, c);
        lent_bytes -= ClassBytes(c);
        continue;
      }
      small_lent_bytes_ = lent_bytes;
      GiveBlocks(blocks++, 1);  // there is no unit map
      lent_bytes = small_lent_bytes_;
      continue;
    }
    Superblock* const superblock = map.SuperblockOfSlab(first);
    const size_t unit = first % kSuperblockBytes / kUnitBytes;
    Slab* const slab = &superblock->tables->slabs[unit];
    uint64_t* const bits = superblock->tables->SlabBits(unit, capacity);
    const size_t n = GiveToSlab(slab, bits, c, blocks, static_cast<size_t>(end - blocks));
    blocks += n;
    lent_bytes -= n * ClassBytes(c);
    superblock->NoteForSweep(unit);
    if (slab->free_blocks < next_list_from[static_cast<uint8_t>(slab->fullness + 1)]) [[likely]]
      continue;
    Relist(slab);
    // The last slab of a class stays until a sweep finds it empty.
    if (slab->free_blocks == capacity && MayGoWhenEmpty(slab)) RemoveSlab(slab);
  }
  small_lent_bytes_ = lent_bytes;
}

void Arena::GiveOneRun(Superblock* superblock, std::byte* block) {
  const Run run = UsedRunAt(superblock, block);
  if (run.length == 0) [[unlikely]] ReportDoubleFree(block, 0);
  CountLent(-run.bytes());
  runs_.GiveRun(run);
}

void Arena::GiveBlocks(std::byte* const* blocks, size_t count) {
  const AddressMap& map = runs_.central().map();
  for (size_t i = 0; i < count;) {
    Superblock* superblock = map.FindSuperblock(AddressOf(blocks[i]));
    if (superblock == nullptr) [[unlikely]] ReportCorruption("a free block is unmapped", blocks[i]);
    if (Slab* slab = SlabAt(superblock, blocks[i]); slab != nullptr) {
      i += GiveToOneSlab(slab, blocks + i, count - i);
    } else {
      GiveOneRun(superblock, blocks[i++]);
    }
  }
}

// Bytes that all depots together may hold.
size_t Arena::DepotLimit() const {
  return g_options.depot_kib * kKiB +
         runs_.superblock_count() * (kSuperblockBytes / kDepotShareOfSuperblocks);
}

// The class's depot, with room for `count` more blocks; nullptr if it may not have it.
Depot* Arena::DepotFor(SizeClass c, size_t count) {
  if (depot_bytes_ + count * ClassBytes(c) > DepotLimit() || count > DepotCapacity(c)) {
    return nullptr;
  }
  Depot& depot = depots_[c];
  if (depot.blocks == nullptr) {
    depot.blocks = static_cast<std::byte**>(
        runs_.central().metadata().Take(DepotCapacity(c) * sizeof *depot.blocks));
    if (depot.blocks == nullptr) return nullptr;
    depot.capacity = static_cast<uint32_t>(DepotCapacity(c));
  }
  if (depot.count + count > depot.capacity) {
    EmptyDepot(depot, c, std::min<size_t>(depot.capacity / 2, depot.capacity - count));
  }
  return &depot;
}

void Arena::GiveBatch(SizeClass c, std::byte* const* blocks, size_t count) {
  Depot* const depot = DepotFor(c, count);
  if (depot == nullptr) return GiveBlocks(c, blocks, count);
  memcpy(depot->blocks + depot->count, blocks, count * sizeof *blocks);
  depot->used = ++batches_;
  depot->count += static_cast<uint32_t>(count);
  depot_bytes_ += count * ClassBytes(c);
}

bool Arena::HoldsFree(SizeClass c, const std::byte* block) {
  const Depot& depot = depots_[c];
  if (std::find(depot.blocks, depot.blocks + depot.count, block) != depot.blocks + depot.count) {
    return true;
  }
  Superblock* const superblock = runs_.central().map().FindSuperblock(AddressOf(block));
  const Slab* const slab = superblock != nullptr ? SlabAt(superblock, block) : nullptr;
  return slab != nullptr && IsFreeInSlab(slab, block);
}

// Gives the oldest blocks back to their slabs and runs, all but `keep`.
void Arena::EmptyDepot(Depot& depot, SizeClass c, size_t keep) {
  if (depot.count <= keep) return;
  const size_t n = depot.count - keep;
  GiveBlocks(c, depot.blocks, n);
  memmove(depot.blocks, depot.blocks + n, keep * sizeof *depot.blocks);
  depot.count = static_cast<uint32_t>(keep);
  depot.least = std::min(depot.least, depot.count);
  depot_bytes_ -= n * ClassBytes(c);
}

// What no taker has come down to since the last round is not needed.
void Arena::SweepDepots(bool at_once) {
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    Depot& depot = depots_[c];
    if (depot.count == 0) continue;
    EmptyDepot(depot, c, at_once ? 0 : depot.count - depot.least);
    depot.least = depot.count;
  }
}

void Arena::GiveIdleDepots() {
  LockGuard guard(lock_);
  for (SizeClass c = 1; c < kSizeClasses; ++c) {
    if (batches_ - depots_[c].used >= kIdleAfterBatches) EmptyDepot(depots_[c], c, 0);
  }
}

std::byte* Arena::TakeRun(size_t bytes, size_t alignment, ZeroPages* zero_pages, Growth growth) {
  PageRange ahead;
  std::byte* run;
  {
    LockGuard guard(lock_);
    run = TakeRunLocked(bytes, alignment, zero_pages, growth, &ahead);
  }
  Populate(ahead);
  return run;
}

std::byte* Arena::TakeRunLocked(size_t bytes, size_t alignment, ZeroPages* zero_pages,
                                Growth growth, PageRange* ahead) {
  if (HasPost()) DrainInbox();
  const size_t granule_alignment = alignment <= kGranuleBytes ? 1 : alignment / kGranuleBytes;
  size_t untouched = 0;
  const Run run = runs_.TakeRun(GranulesOf(bytes), static_cast<uint32_t>(granule_alignment),
                                zero_pages, growth, &untouched);
  if (run.length == 0) return nullptr;
  if (untouched > 1 && ahead != nullptr && zero_pages == nullptr && IsLarge()) {
    FetchAhead(run, untouched, ahead);
  }
  CountLent(run.bytes());
  return run.address();
}

void Arena::GiveRun(const Run& run) {
  LockGuard guard(lock_);
  // Again, now that nobody else can: two threads may free the same block at once.
  if (UsedRunAt(run.superblock, run.address()).length != run.length) {
    ReportDoubleFree(run.address(), run.bytes());
  }
  CountLent(-run.bytes());
  runs_.GiveRun(run);
}

size_t Arena::ResizeRun(const Run& run, size_t bytes) {
  PageRange ahead;
  size_t usable;
  {
    LockGuard guard(lock_);
    usable = ResizeRunLocked(run, bytes, &ahead);
  }
  Populate(ahead);
  return usable;
}

size_t Arena::ResizeRunLocked(const Run& run, size_t bytes, PageRange* ahead) {
  CountLent(-run.bytes());
  size_t untouched = 0;
  const bool resized = runs_.ResizeRun(run, GranulesOf(bytes), &untouched);
  const Run now = resized ? RunAt(run.superblock, run.start) : run;
  CountLent(now.bytes());
  if (untouched > 1 && ahead != nullptr && now.length > run.length && IsLarge()) {
    FetchAhead({run.superblock, run.end(), now.length - run.length}, untouched, ahead);
  }
  return now.bytes();
}

}  // namespace cma
