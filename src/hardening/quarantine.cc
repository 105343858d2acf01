#include "hardening/quarantine.h"

namespace cma {

constinit Quarantine g_quarantine;

void Quarantine::Open(size_t most_bytes, Metadata& metadata) {
  LockGuard guard(lock_);
  ring_ = static_cast<QuarantinedBlock*>(metadata.TakePages(kMostBlocks * sizeof *ring_));
  set_ = static_cast<uintptr_t*>(metadata.TakePages(kSetSize * sizeof *set_));
  if (ring_ != nullptr && set_ != nullptr) most_bytes_ = most_bytes;
}

// Its slot in the set, or the free one where it would go.
size_t Quarantine::Find(uintptr_t address) const {
  size_t slot = Home(address);
  while (set_[slot] != 0 && set_[slot] != address) slot = (slot + 1) % kSetSize;
  return slot;
}

// Moves later entries up, so that no search for them ends at the gap.
void Quarantine::Erase(size_t slot) {
  size_t gap = slot;
  for (size_t i = (gap + 1) % kSetSize; set_[i] != 0; i = (i + 1) % kSetSize) {
    const size_t from_home = (i - Home(set_[i])) % kSetSize;
    if (from_home < (i - gap) % kSetSize) continue;
    set_[gap] = set_[i];
    gap = i;
  }
  set_[gap] = 0;
}

QuarantinedBlock Quarantine::Pop() {
  const QuarantinedBlock oldest = ring_[first_];
  first_ = (first_ + 1) % kMostBlocks;
  --count_;
  bytes_.fetch_sub(oldest.bytes, std::memory_order_relaxed);
  Erase(Find(oldest.address));
  return oldest;
}

bool Quarantine::Add(const QuarantinedBlock& block, QuarantinedBlock* displaced) {
  LockGuard guard(lock_);
  *displaced = {};
  if (set_[Find(block.address)] != 0) return false;
  if (count_ == kMostBlocks) *displaced = Pop();
  set_[Find(block.address)] = block.address;
  ring_[(first_ + count_) % kMostBlocks] = block;
  ++count_;
  bytes_.fetch_add(block.bytes, std::memory_order_relaxed);
  return true;
}

QuarantinedBlock Quarantine::TakeOldest(Take what) {
  if (!IsOn()) return {};
  LockGuard guard(lock_);
  if (count_ == 0 || (what == Take::kSurplus && bytes() <= most_bytes_)) return {};
  return Pop();
}

bool Quarantine::Holds(uintptr_t address) {
  if (!IsOn()) return false;
  LockGuard guard(lock_);
  return set_[Find(address)] != 0;
}

}  // namespace cma
