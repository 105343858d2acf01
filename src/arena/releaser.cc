#include "arena/releaser.h"

#include <algorithm>

#include "options/options.h"
#include "os/os_wait.h"

namespace cma {

namespace {

// The longest delay while the soft limit is passed. Seen in fragmentation_ager/1 with
// soft_limit=64m.
constexpr Milliseconds kDelayUnderPressure = 50;

// Pieces of huge blocks, of up to 64 MiB each, that go in one call where there is no thread for it:
// with huge pages about 1 ms. No benchmark tells.
constexpr size_t kHugePiecesPerStep = 4;

// What a step leaves to threads that slept for the arena's lock, in us: to wake up, and for what
// they have come for. Not varied.
constexpr uint32_t kLetOthersIn = 100;

// A thread that was refused is tried again after so long: what refuses it, such as too many
// threads, may pass. No benchmark tells.
constexpr Milliseconds kRetryAfter = 1'000;

void SweepArena(Arena* arena, uint32_t round, bool at_once, bool* pending) {
  while (arena->SweepStep(round, at_once, pending)) {
    if (arena->IsWanted()) OsSleep(kLetOthersIn);
  }
}

}  // namespace

Milliseconds Releaser::Age() const {
  const Milliseconds delay = g_options.release_delay_ms;
  const bool pressed = limit_ != nullptr && limit_->IsOverSoftLimit();
  return pressed ? std::min(delay, kDelayUnderPressure) : delay;
}

// A page goes back when two rounds have found it idle.
Milliseconds Releaser::RoundPeriod() const { return Age() / 2; }

void Releaser::Start() {
  if (g_options.background_thread == 0) {
    thread_.store(kForbidden, std::memory_order_relaxed);
    return;
  }
  const size_t held = central_->mapped_bytes() + huge_->committed_bytes();
  if (held <= g_options.background_start_mib * kMiB) return;
  const Milliseconds refused_at = refused_at_.load(std::memory_order_relaxed);
  if (refused_at != 0 && !HasAged(refused_at, central_->os().now(), kRetryAfter)) return;
  uint32_t expected = kNone;
  // Acquire pairs with the release after a refusal: that attempt is done with the handle.
  if (!thread_.compare_exchange_strong(expected, kStarting, std::memory_order_acquire)) return;
  const bool started = OsStartThread(ThreadBody, this, &handle_);
  expected = kStarting;
  if (!started) {
    refused_at_.store(central_->os().now(), std::memory_order_relaxed);
    // Fails after EndThread(). One that does not see the time yet tries once more.
    thread_.compare_exchange_strong(expected, kNone, std::memory_order_release);
    return;
  }
  // Release pairs with the acquire in EndThread(): the handle is there.
  if (!thread_.compare_exchange_strong(expected, kRunning, std::memory_order_release)) {
    OsDetachThread(handle_);  // the main thread has ended meanwhile
  }
}

void* Releaser::ThreadBody(void* self) {
  static_cast<Releaser*>(self)->Run();
  return nullptr;
}

void Releaser::Wake() {
  if (idle_.exchange(0, std::memory_order_relaxed) != 0) OsWake(idle_, 1);
}

void Releaser::Run() {
  for (;;) {
    // Acquire pairs with the release in NoteDelay(): after EndThread() either number is new.
    const uint32_t changes = delay_changes_.load(std::memory_order_acquire);
    if (IsToEnd()) return;
    OsWaitFor(delay_changes_, changes, std::max<Milliseconds>(RoundPeriod(), 5));
    if (Round()) continue;
    // What was freed before idle_ was set is found by another round, what is freed after wakes us.
    idle_.store(1, std::memory_order_seq_cst);
    if (Round()) {
      idle_.store(0, std::memory_order_relaxed);
      continue;
    }
    // Sequentially consistent, as is idle_ above, with EndThread(): this sees what it has stored,
    // or it sees that this waits.
    if (IsToEnd()) return;
    while (idle_.load(std::memory_order_relaxed) != 0) OsWait(idle_, 1);
  }
}

bool Releaser::EmptyLeftCaches(bool all) {
  const bool more_later = mark_left_caches_(all);
  while (empty_left_cache_(true)) {
  }
  return more_later;
}

bool Releaser::Round() {
  const uint32_t round = round_.fetch_add(1, std::memory_order_relaxed) + 1;
  bool pending = EmptyLeftCaches(false);
  for (size_t i = 0; i < arenas_->total(); ++i) {
    Arena* const arena = arenas_->Nth(i);
    if (arena == nullptr) continue;
    SweepArena(arena, round, Age() == 0, &pending);
  }
  const Milliseconds now = central_->os().now();
  while (central_->Release(now, Age(), 1) != 0) {
  }
  while (huge_->Release(now, Age(), 1) != 0) {
  }
  return pending || central_->dirty_superblocks() != 0 || huge_->HasToRelease();
}

void Releaser::Step(Milliseconds now) {
  if (has_thread()) return;
  Milliseconds started = round_started_.load(std::memory_order_relaxed);
  if (HasAged(started, now, RoundPeriod()) &&
      round_started_.compare_exchange_strong(started, now, std::memory_order_relaxed)) {
    round_.fetch_add(1, std::memory_order_relaxed);
    mark_left_caches_(false);
    left_caches_.store(true, std::memory_order_relaxed);
    arenas_left_.store(static_cast<uint32_t>(arenas_->total()), std::memory_order_relaxed);
    central_->Release(now, Age(), 1);
    if (huge_->HasToRelease()) huge_->Release(now, Age(), kHugePiecesPerStep);
  }
  if (left_caches_.load(std::memory_order_relaxed)) {
    if (empty_left_cache_(false)) return;
    left_caches_.store(false, std::memory_order_relaxed);
  }
  uint32_t left = arenas_left_.load(std::memory_order_relaxed);
  if (left == 0) return;
  Arena* const arena = arenas_->Nth(left - 1);
  bool pending = false;
  if (arena == nullptr ||
      !arena->SweepStep(round_.load(std::memory_order_relaxed), Age() == 0, &pending)) {
    arenas_left_.compare_exchange_strong(left, left - 1, std::memory_order_relaxed);
  }
}

bool Releaser::ReleaseAll() {
  const size_t before = central_->returned_bytes() + huge_->returned_bytes();
  const uint32_t round = round_.fetch_add(1, std::memory_order_relaxed) + 1;
  EmptyLeftCaches(true);
  for (size_t i = 0; i < arenas_->total(); ++i) {
    Arena* const arena = arenas_->Nth(i);
    bool pending = false;
    if (arena != nullptr) SweepArena(arena, round, true, &pending);
  }
  central_->Unmap();
  huge_->Release(central_->os().now(), 0, ~size_t{0});
  return central_->returned_bytes() + huge_->returned_bytes() != before;
}

void Releaser::NoteDelay() {
  delay_changes_.fetch_add(1, std::memory_order_release);
  OsWake(delay_changes_, 1);
}

void Releaser::EndThread() {
  const uint32_t before = thread_.exchange(kForbidden, std::memory_order_seq_cst);
  g_options.background_thread = 0;  // what freed memory may wait for depends on it
  NoteDelay();
  if (idle_.exchange(0, std::memory_order_seq_cst) != 0) OsWake(idle_, 1);
  if (before == kRunning) OsJoinThread(handle_);
}

void Releaser::ForgetThread() {
  thread_.store(kNone, std::memory_order_relaxed);
  refused_at_.store(0, std::memory_order_relaxed);
  idle_.store(0, std::memory_order_relaxed);
  // Another thread may have been in Purge().
  purge_left_ = 0;
  purging_.store(false, std::memory_order_relaxed);
}

}  // namespace cma
