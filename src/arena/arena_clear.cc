// The end of a heap: everything in its arena is gone at once.
#include "arena/arena.h"

namespace cma {

void Arena::Clear() {
  LockGuard guard(lock_);
  AddressMap& map = runs_.central().map();
  for (Superblock* s = runs_.superblocks().front(); s != nullptr; s = s->next) {
    for (uint32_t g = 0; g < kGranulesPerSuperblock; g += RunAt(s, g).length) {
      const Run run = RunAt(s, g);
      if (StateOf(run) != RunState::kSlab) continue;
      map.ClearUnit(AddressOf(run.address()));
      UnmakeSlab(SlabAt(s, run.address()));
    }
  }
  runs_.GiveAll();
  partial_ = {};
  mixed_ = {};
  slabs_ = 0;
  slab_block_bytes_ = 0;
  small_lent_bytes_ = 0;
  run_lent_bytes_.store(0, std::memory_order_relaxed);
}

}  // namespace cma
