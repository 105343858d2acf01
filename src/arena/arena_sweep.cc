// The sweep of an arena: memory that nothing lives on goes back to the OS.
//
// A page is returned when two rounds in a row find it idle, so what is in use again soon is left
// alone, and pages inside sparse slabs go back while the slab lives on.
#include <algorithm>
#include <bit>

#include "arena/arena.h"
#include "options/options.h"

namespace cma {
namespace {

// Of a superblock in huge pages, idle memory up to one part in so many stays: they are worth that.
// Half and double are nearly the same in json_store/1 and thread_phases/2.
constexpr size_t kShareWorthBreaking = 8;

// Superblocks without work that a step goes past, at about 20 ns each. Half and double the same in
// BM_TrimNowAndThen.
constexpr int kSweepSuperblocks = 64;

// The OS pages that lie in a run as a whole.
size_t FirstWholePage(const Run& run) {
  return RoundUp(size_t{run.start} << kGranuleShift, OsPageBytes()) / OsPageBytes();
}
size_t WholePagesEnd(const Run& run) {
  return (size_t{run.end()} << kGranuleShift) / OsPageBytes();
}

}  // namespace

struct Arena::Sweep {
  bool at_once;
  int ranges_left = kSweepRanges;
  size_t pages_left = kSweepPages;
  size_t page = 0;       // of the superblock: the round has been over those before it
  bool pending = false;  // pages were marked: another round will return them
  bool refused = false;  // the OS keeps pages (mlock): the unit is left alone until next time

  bool OutOfBudget() const { return ranges_left <= 0 || pages_left == 0; }
  void Spend(size_t pages) {
    --ranges_left;
    pages_left -= std::min(pages_left, pages);
  }
};

bool Arena::ReturnPages(Superblock* superblock, size_t first, size_t last) {
  const size_t page = OsPageBytes();
  const bool lazily = g_options.madv_free != 0;
  runs_.dense_writes().Settle(runs_.central().os(), superblock->base + first * page,
                              (last - first) * page);
  if (!runs_.central().os().decommit(superblock->base + first * page, (last - first) * page,
                                     lazily)) {
    return false;
  }
  runs_.central().CountReturned((last - first) * page, lazily);
  if (superblock->has_huge_pages) {
    // The huge page has fallen apart, and the OS is not to put it together again.
    runs_.central().os().advise_small(superblock->base, kSuperblockBytes);
    superblock->has_huge_pages = false;
    superblock->needs_sweep = true;  // what was left for the sake of the huge page
  }
  return true;
}

// Whether so much of a superblock in huge pages is idle that these may fall apart for it.
bool Arena::IsWorthBreaking(Superblock* superblock) {
  const size_t enough = kSuperblockBytes / kShareWorthBreaking / OsPageBytes();
  size_t idle = 0;
  for (uint32_t g = 0; g < kGranulesPerSuperblock && idle < enough;) {
    const Run run = RunAt(superblock, g);
    if (StateOf(run) == RunState::kSlab) {
      idle += static_cast<size_t>(std::popcount(IdlePages(SlabAt(superblock, run.address()))));
    } else if (StateOf(run) == RunState::kFree) {
      idle += superblock->touched.CountRange(FirstWholePage(run), WholePagesEnd(run));
    }
    g = run.end();
  }
  return idle >= enough;
}

void Arena::SweepFreeRun(const Run& run, Sweep& sweep) {
  Superblock* const s = run.superblock;
  size_t page = s->touched.FindFrom(FirstWholePage(run));
  const size_t end = WholePagesEnd(run);
  // What lies behind the round was marked in it, or has come since: it is the next one's.
  if (page < std::min(end, sweep.page)) sweep.pending = true;
  page = s->touched.FindFrom(std::max(page, sweep.page));
  for (; page < end; page = s->touched.FindFrom(page)) {
    if (!s->aged.Test(page) && !sweep.at_once) {
      s->aged.Set(page++);
      sweep.pending = true;
      continue;
    }
    if (sweep.OutOfBudget()) break;
    size_t last = page + 1;
    const size_t most = std::min(end, page + sweep.pages_left);
    while (last < most && s->touched.Test(last) && (sweep.at_once || s->aged.Test(last))) ++last;
    sweep.Spend(last - page);
    if (!ReturnPages(s, page, last)) {
      sweep.refused = true;
      break;
    }
    s->touched.ClearRange(page, last);
    s->aged.ClearRange(page, last);
    page = last;
  }
  sweep.page = std::max(sweep.page, std::min(page, end));
}

// All of it, or what is marked in one step would be returned in the next.
void Arena::SweepSlab(Slab* slab, Sweep& sweep) {
  const uint16_t idle = IdlePages(slab);
  const size_t slab_page = static_cast<size_t>(slab->base - slab->superblock->base) / OsPageBytes();
  if (slab_page < sweep.page) {
    if (idle != 0) sweep.pending = true;
    return;
  }
  sweep.page = slab_page + PagesPerSlab();
  const auto returnable = static_cast<uint16_t>(sweep.at_once ? idle : idle & slab->aged_pages);
  slab->aged_pages = idle & static_cast<uint16_t>(~returnable);
  if (slab->aged_pages != 0) sweep.pending = true;
  for (uint32_t left = returnable; left != 0;) {
    const auto first = static_cast<size_t>(std::countr_zero(left));
    const auto count = static_cast<size_t>(std::countr_one(left >> first));
    const auto mask = static_cast<uint16_t>(((uint32_t{1} << count) - 1) << first);
    sweep.Spend(count);
    if (!ReturnPages(slab->superblock, slab_page + first, slab_page + first + count)) {
      sweep.refused = true;
      return;
    }
    slab->touched_pages &= static_cast<uint16_t>(~mask);
    left &= ~uint32_t{mask};
  }
}

// The runs that begin in the unit. False: the superblock's last slab was empty, and the central
// heap has it now.
bool Arena::SweepUnit(Superblock* superblock, size_t unit, Sweep& sweep) {
  constexpr uint32_t kSlots = SuperblockTables::kSlotsPerUnit;
  constexpr uint32_t kGranules = kUnitBytes / kGranuleBytes;
  auto slot = static_cast<uint32_t>(unit) * kSlots;
  const uint32_t slots_end = slot + kSlots;
  while (slot < slots_end && superblock->tables->tag(slot).length == 0) ++slot;
  if (slot == slots_end) return true;
  uint32_t g = slot * kGranulesPerSlot + superblock->tables->tag(slot).offset / kGranuleBytes;
  for (const uint32_t end = static_cast<uint32_t>(unit + 1) * kGranules; g < end;) {
    Run run = RunAt(superblock, g);
    if (StateOf(run) == RunState::kSlab) {
      Slab* const slab = SlabAt(superblock, run.address());
      if (slab->free_blocks != slab->capacity) {
        SweepSlab(slab, sweep);
      } else {
        const Run left = RunBefore(run);
        if (left.length != 0 && StateOf(left) == RunState::kFree) run.start = left.start;
        RemoveSlab(slab);
        // Another arena may have it by now.
        if (superblock->arena.load(std::memory_order_relaxed) != static_cast<uint16_t>(id_)) {
          return false;
        }
        run = RunAt(superblock, run.start);
      }
    }
    if (StateOf(run) == RunState::kFree) SweepFreeRun(run, sweep);
    if (sweep.refused || sweep.OutOfBudget()) break;
    g = run.end();
  }
  return true;
}

Arena::SweepResult Arena::SweepSuperblock(Superblock* superblock, Sweep& sweep) {
  // A round that marks goes on where its last step ended, to the page, or it would meet again what
  // it has marked.
  const unsigned first = sweep.at_once ? 0 : superblock->sweep_unit;
  if (!sweep.at_once) sweep.page = superblock->sweep_page;
  uint64_t units = superblock->unswept_units >> first << first;
  superblock->unswept_units ^= units;
  superblock->sweep_unit = 0;
  superblock->sweep_page = 0;
  bool pending = false;
  bool refused = false;
  for (; units != 0; units &= units - 1) {
    const auto unit = static_cast<unsigned>(std::countr_zero(units));
    sweep.pending = sweep.refused = false;
    if (!SweepUnit(superblock, unit, sweep)) return SweepResult::kGone;
    pending |= sweep.pending;
    refused |= sweep.refused;
    if (sweep.OutOfBudget()) {
      superblock->unswept_units |= units;
      // Where the OS refuses, the next step would come no further.
      if (refused) break;
      if (!sweep.at_once) {
        superblock->sweep_unit = static_cast<uint8_t>(unit);
        superblock->sweep_page = static_cast<uint16_t>(sweep.page);
      }
      sweep.pending = pending;
      return SweepResult::kOutOfBudget;
    }
    if (sweep.pending || sweep.refused) superblock->unswept_units |= units & -units;
  }
  sweep.pending = pending;
  return SweepResult::kDone;
}

bool Arena::SweepStep(uint32_t round, bool at_once, bool* pending) {
  LockGuard guard(lock_);
  const bool more = SweepNext(round, at_once, pending);
  wanted_.store(lock_.HasSleepers(), std::memory_order_relaxed);
  return more;
}

bool Arena::SweepNext(uint32_t round, bool at_once, bool* pending) {
  if (HasPost()) DrainInbox();
  if (depot_round_ != round) {
    depot_round_ = round;
    SweepDepots(at_once);
  }
  Superblock* superblock = runs_.superblocks().front();
  for (int looked_at = 0; looked_at < kSweepSuperblocks; ++looked_at) {
    // The round's own ones are at the back, unless another round is under way and has moved them.
    while (at_once && superblock != nullptr && superblock->sweep_round == round) {
      superblock = superblock->next;
    }
    if (superblock == nullptr || superblock->sweep_round == round) return false;
    if (superblock->needs_sweep && !at_once && superblock->has_huge_pages) {
      superblock->needs_sweep = IsWorthBreaking(superblock);
      looked_at = kSweepSuperblocks;
    }
    // What stays because it is not worth breaking a huge page goes at once.
    if (superblock->needs_sweep || (at_once && superblock->unswept_units != 0)) {
      looked_at = kSweepSuperblocks;
      Sweep sweep{.at_once = at_once};
      const SweepResult result = SweepSuperblock(superblock, sweep);
      if (result == SweepResult::kGone) return true;
      if (result == SweepResult::kOutOfBudget) {
        *pending = true;
        return true;
      }
      superblock->needs_sweep = superblock->unswept_units != 0;
      if (sweep.pending) *pending = true;
    }
    superblock->sweep_round = round;
    Superblock* const next = superblock->next;
    runs_.superblocks().Remove(superblock);
    runs_.superblocks().PushBack(superblock);
    superblock = next;
  }
  return true;
}

}  // namespace cma
