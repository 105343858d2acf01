// The end of a heap: everything in its arena is gone at once.
#include <string.h>

#include "arena/arena.h"
#include "options/options.h"

namespace cma {
namespace {

// Leaves nothing of what was written to the superblock. At once and not lazily, or the OS would
// keep it until it runs short.
void Wipe(CentralHeap& central, Superblock* superblock) {
  const size_t page = OsPageBytes();
  auto& touched = superblock->touched;
  if (central.os().decommit(superblock->base, kSuperblockBytes, false)) {
    central.CountReturned(touched.CountRange(0, kSuperblockBytes / page) * page, false);
    touched = {};
    superblock->aged = {};
    return;
  }
  for (size_t i = touched.FindFrom(0); i < kSuperblockBytes / page; i = touched.FindFrom(i + 1)) {
    memset(superblock->base + i * page, 0, page);
  }
}

}  // namespace

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
    // Blocks that count as freed. From GiveAll() on another arena may have the superblock.
    if (g_options.zero_on_free != 0) Wipe(runs_.central(), s);
  }
  runs_.GiveAll();
  partial_ = {};
  mixed_ = {};
  slabs_ = 0;
  slabs_of_class_ = {};
  slab_block_bytes_ = 0;
  small_lent_bytes_ = 0;
  run_lent_bytes_.store(0, std::memory_order_relaxed);
  mixed_count_.store(0, std::memory_order_relaxed);
}

}  // namespace cma
