// What the releaser does when the soft limit is passed.
#include "arena/releaser.h"

namespace cma {
namespace {

// Sweep steps of one call, each at most Arena::kSweepRanges ranges or kSweepPages pages: about a
// millisecond of an allocation that happens to be the one. Half and double are nearly the same in
// fragmentation_ager/1 with soft_limit=64m.
constexpr int kPurgeSteps = 16;
// Free superblocks, and cached huge blocks, that one call returns. As above.
constexpr size_t kPurgeBlocks = 8;

}  // namespace

void Releaser::Purge() {
  // Acquire pairs with the release below: one purger sees what the last one has left.
  if (purging_.exchange(true, std::memory_order_acquire)) return;
  if (purge_left_ == 0) {
    purge_round_ = round_.fetch_add(1, std::memory_order_relaxed) + 1;
    purge_left_ = arenas_->total();
    NoteDelay();
  }
  for (int step = 0; step < kPurgeSteps && purge_left_ > 0; ++step) {
    Arena* const arena = arenas_->Nth(purge_left_ - 1);
    bool pending = false;
    if (arena == nullptr || !arena->SweepStep(purge_round_, true, &pending)) --purge_left_;
  }
  const Milliseconds now = central_->os().now();
  const bool more = central_->Release(now, 0, kPurgeBlocks) == kPurgeBlocks;
  huge_->Release(now, 0, kPurgeBlocks);
  if (purge_left_ == 0) {
    if (more || huge_->cached_bytes() != 0) {
      purge_left_ = 1;  // the last arena again: the next call goes on here
    } else {
      limit_->PurgeDone();
    }
  }
  purging_.store(false, std::memory_order_release);
}

}  // namespace cma
