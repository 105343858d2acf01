#include "cache/refill.h"

#include <algorithm>

#include "arena/heap.h"
#include "cache/cache_lifecycle.h"
#include "cache/list_upkeep.h"

namespace cma {
namespace {

// So many visits in a row (misses, lists that overflow, large runs that go back) on another CPU,
// each after one of another thread, and a thread moves to that CPU's arena. Half and double are
// within the spread of larson_server/8 and thread_phases/8.
constexpr int16_t kMovesBeforeSwitch = 8;
// So many visits in a row, instead, for a thread that has moved to an arena for its memory. Not
// varied; seen in kv_server.
constexpr int16_t kVisitsToStay = 1000;
// So many visits on the CPU of its own arena, each after one of another thread, and a thread moves
// to an arena that nobody has, if there is one: there are more CPUs than arenas, or a thread that
// ended has left one. With an eighth of it young threads, in the simulated larson-like load, move
// too often.
constexpr uint8_t kMeetingsBeforeSwitch = 64;

// Larger blocks take what is free elsewhere before a slab is opened for them: few live of each
// class, and the most that each had at any time adds up. Chosen by slot_churn/2; with half, simulated
// thread-local churn falls to 0.95.
constexpr size_t kOwnSlabsUpTo = 4 * kKiB;
// Where classes miss again within so many misses and overflows of the thread, and so many times in a
// row, they want lists of their own: a loop over few classes would miss each time. In slot_churn,
// where many take turns, that hardly happens.
constexpr uint8_t kSoon = 4;
constexpr uint8_t kManyInARow = 8;
// Other arenas that are asked. Not varied: there are two in slot_churn/2.
constexpr size_t kNeighbours = 3;

// Slots of a young list. It is filled more than once before its thread has what it goes on with:
// blocks of another arena, which a thread gets while its own one is busy with its first superblock,
// go home when they are freed. With 6, threads share a line in 32 of 60 runs of false_sharing/4;
// with half and double in none, as with this.
constexpr size_t kYoungUpTo = 30;

// Misses and overflows between two times that a thread looks for blocks that it no longer uses.
// Four times as many, and a quarter, are within the noise of fragmentation_ager and
// sparse_survivors.
constexpr uint32_t kEventsBetweenLooks = 16;

// Blocks that wait here for a class that the thread no longer asks for keep slabs apart: in a
// program that goes on with other sizes after it has freed all, in no order, they lie in every
// slab. So they go home before the arena grows or mixes slabs, and while it has mixed ones, unless
// others did so not long ago: each look is one more time that the arena is asked, which may be
// another one if it is busy.
bool MayGiveIdle(const ThreadCache* cache) {
  return cache->events - cache->gave_idle >= kEventsBetweenLooks;
}
[[gnu::noinline]] void GiveIdle(ThreadCache* cache) {
  GiveIdleLists(cache);
  cache->arena->GiveIdleDepots();
  g_heap.releaser.NoteFreed();
}

// To an arena that it has joined.
void MoveTo(ThreadCache* cache, Arena* arena) {
  EmptyCache(cache);
  cache->arena->Leave();
  cache->SetArena(arena);
}

// Goes to an arena that has much memory free, rather than let the thread's own one take more: what
// lies free in the arena that the thread has left would add up to every arena's peak.
void FollowMemory(ThreadCache* cache) {
  Arena* const arena = g_heap.arenas.WithMuchFree(cache->arena);
  if (arena == nullptr) return;
  arena->Join();
  cache->cpu_changed = -kVisitsToStay;
  MoveTo(cache, arena);
}

// Fills the list to half its capacity, or with what there is in the inbox, unless it is not empty;
// how many blocks there are then. As Arena::TakeBlocks(). A young list, of small blocks, gets
// whole cache lines: a thread that needs no more of them would write to another one's line for
// good.
size_t RefillFrom(Arena& arena, ThreadCache* cache, SizeClass c, Growth growth, PageRange* ahead)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(arena.lock()) {
  if (&arena == cache->arena && arena.HasPost()) arena.DrainInbox(cache->lists.data());
  // What was posted while another class was looked for came to all lists.
  if (const size_t depth = cache->depth(c); depth != 0) return depth;
  BlockList& list = cache->lists[c];
  const size_t capacity = cache->backing[c].capacity();
  size_t want = std::max<size_t>(capacity / 2, 1);
  auto** const out = reinterpret_cast<std::byte**>(static_cast<uintptr_t*>(list));
  size_t n = 0;
  if (ClassBytes(c) <= kLinesUpTo && capacity <= kYoungUpTo) {
    want = RoundUp(want, BlocksPerLines(c));
    n = arena.TakeLines(c, out, want);
  }
  if (n == 0) n = arena.TakeBlocks(c, out, want, growth, ahead);
  if (n != 0 && &arena != cache->arena) cache->mixed = true;
  list = list + n;
  return n;
}

size_t Refill(ThreadCache* cache, SizeClass c, Growth growth) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Arena* const arena = g_heap.arenas.AcquireNear(cache->arena);
  PageRange ahead;
  const size_t n = RefillFrom(*arena, cache, c, growth, &ahead);
  arena->lock().Release();
  arena->Populate(ahead);
  return n;
}

// What is free in the arena's slabs; if need be in those of a class that is a little wider, provided
// that much is. (Where slabs are dense the heap just grows, and wider blocks would be a waste.) The
// class whose list has blocks now; 0 if none has.
SizeClass RefillFromSlabs(ThreadCache* cache, SizeClass c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Arena* const arena = g_heap.arenas.AcquireNear(cache->arena);
  PageRange ahead;
  SizeClass filled = RefillFrom(*arena, cache, c, Growth::kNone, &ahead) != 0 ? c : 0;
  if (filled == 0 && arena->IsLoose()) {
    for (SizeClass d = NextWider(c, c); d != 0 && filled == 0; d = NextWider(c, d)) {
      if (cache->depth(d) != 0 || (cache->backing[d].capacity() != 0 &&
                                   RefillFrom(*arena, cache, d, Growth::kNone, nullptr) != 0)) {
        filled = d;
      }
    }
  }
  arena->lock().Release();
  arena->Populate(ahead);
  return filled;
}

// What is free in the slabs of another arena; how many blocks the list has then.
size_t RefillFromNeighbours(ThreadCache* cache, SizeClass c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const ArenaSet& arenas = g_heap.arenas;
  const size_t home = static_cast<size_t>(cache->arena->id());
  size_t n = 0;
  for (size_t i = 1; i < std::min(arenas.count(), kNeighbours + 1) && n == 0; ++i) {
    Arena* const other = arenas.Existing((home + i) % arenas.count());
    if (other == nullptr || !other->lock().TryAcquire()) continue;
    if (other->IsLoose()) n = RefillFrom(*other, cache, c, Growth::kNone, nullptr);
    other->lock().Release();
  }
  return n;
}

// For a block larger than a page: what there is before a slab is opened. 0 if there is nothing, or if
// the thread's misses were served so again and again.
SizeClass FillFromElsewhere(ThreadCache* cache, SizeClass c) {
  uint8_t& served = cache->served_elsewhere[c];
  const auto now = static_cast<uint8_t>(cache->events);
  const bool soon = static_cast<uint8_t>(now - served) <= kSoon;
  cache->soon_in_a_row = soon ? static_cast<uint8_t>(cache->soon_in_a_row + 1) : uint8_t{0};
  if (cache->soon_in_a_row >= kManyInARow) {
    cache->soon_in_a_row = 0;
    return 0;
  }
  SizeClass filled = RefillFromSlabs(cache, c);
  if (filled == c) return c;
  if (filled == 0 && RefillFromNeighbours(cache, c) != 0) filled = c;
  if (filled != 0) served = now;
  return filled;
}

// The OS refuses memory. What other arenas have free comes first; then all that is free and within
// reach goes back to the OS, and the list in need is tried again.
[[gnu::noinline]] size_t RefillAfterRefusal(ThreadCache* cache, SizeClass c) {
  const auto refill = [cache, c](Arena& arena) {
    LockGuard guard(arena.lock());
    return RefillFrom(arena, cache, c, Growth::kBySuperblocks, nullptr);
  };
  if (const size_t n = g_heap.arenas.FromAny(cache->arena, refill); n != 0) return n;
  ThreadCache::Reclaim();
  Grow(cache, c, ListBytes(c));  // it has lost its array
  return cache->backing[c].capacity() != 0 ? g_heap.arenas.FromAny(cache->arena, refill) : 0;
}

}  // namespace

void FollowCpu(ThreadCache* cache) {
  if (!cache->arena->NoteVisit(cache)) return;
  const size_t index = g_heap.arenas.CurrentIndex();
  Arena* arena = nullptr;
  if (index == cache->owner) {
    cache->cpu_changed = 0;
    if (++cache->met_here < kMeetingsBeforeSwitch) return;
    cache->met_here = 0;
    arena = g_heap.arenas.JoinUsedBy(0);
  } else {
    if (++cache->cpu_changed < kMovesBeforeSwitch) return;
    cache->cpu_changed = 0;
    arena = g_heap.arenas.At(index);
    if (arena != nullptr) arena->Join();
  }
  if (arena != nullptr) MoveTo(cache, arena);
}

SizeClass FillList(ThreadCache* cache, SizeClass c) {
  Grow(cache, c, ListBytes(c));
  if (cache->backing[c].capacity() == 0) return 0;
  if (c < kSmallClasses && ClassBytes(c) > kOwnSlabsUpTo) {
    if (const SizeClass filled = FillFromElsewhere(cache, c); filled != 0) return filled;
  }
  if (MayGiveIdle(cache)) {
    if (!cache->arena->HasMixed() && Refill(cache, c, Growth::kByFreeRuns) != 0) return c;
    GiveIdle(cache);
  }
  if (Refill(cache, c, Growth::kBySlabs) != 0) return c;
  FollowMemory(cache);
  if (cache->backing[c].capacity() == 0) {  // it has moved
    Grow(cache, c, ListBytes(c));
    if (cache->backing[c].capacity() == 0) return 0;
  }
  const bool filled =
      Refill(cache, c, Growth::kBySuperblocks) != 0 || RefillAfterRefusal(cache, c) != 0;
  return filled ? c : 0;
}

std::byte* TakeUncached(SizeClass c) {
  Arena* const home = g_heap.arenas.Current();
  if (home == nullptr) return nullptr;
  const auto take = [c](Arena& arena) {
    std::byte* taken = nullptr;
    LockGuard guard(arena.lock());
    (void)arena.TakeBlocks(c, &taken, 1);
    return taken;
  };
  std::byte* block = g_heap.arenas.FromAny(home, take);
  if (block == nullptr) {
    ThreadCache::Reclaim();
    block = g_heap.arenas.FromAny(home, take);
  }
  if (block != nullptr) KeyOf(AddressOf(block)) = 0;
  g_heap.releaser.MaybeStart();
  return block;
}

}  // namespace cma
