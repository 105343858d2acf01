#include "cache/uncached.h"

#include <string.h>

#include "arena/heap.h"
#include "cache/thread_cache.h"
#include "hardening/quarantine.h"
#include "heaps/user_heaps.h"
#include "options/options.h"
#include "report/fault.h"

namespace cma {
namespace {

void GiveHome(uintptr_t block, uint16_t owner) {
  auto* address = reinterpret_cast<std::byte*>(block);
  Arena* const arena = g_heap.arenas.Existing(owner);
  {
    LockGuard guard(arena->lock());
    arena->GiveBlocks(&address, 1);
  }
  g_heap.releaser.NoteFreed();
}

// A block in quarantine holds the free key in its second word, and else, if blocks are zeroed,
// nothing.
bool IsUntouched(const QuarantinedBlock& block) {
  if (KeyOf(block.address) != g_address_map.FreeKey()) return false;
  if (g_options.zero_on_free == 0) return true;
  const auto* words = reinterpret_cast<const uint64_t*>(block.address);
  uint64_t any = words[0];
  for (size_t i = 2; i < block.bytes / sizeof *words; ++i) any |= words[i];
  return any == 0;
}

void Leave(const QuarantinedBlock& block) {
  if (!IsUntouched(block)) {
    ReportCorruption("a block was written to after it was freed",
                     reinterpret_cast<const void*>(block.address));
  }
  GiveHome(block.address, block.owner);
}

}  // namespace

bool IsHardened() { return g_options.zero_on_free != 0 || g_options.quarantine_kib != 0; }

void MaybeZero(void* block, size_t bytes) {
  if (g_options.zero_on_free != 0) memset(block, 0, bytes);
}

void FreeUncached(uintptr_t block, SizeClass c, uint16_t owner) {
  const size_t bytes = ClassBytes(c);
  if (!IsHardened()) {
    // Threads that have a cache look for it, and there only.
    KeyOf(block) = g_address_map.FreeKey();
    return GiveHome(block, owner);
  }
  if (!g_quarantine.IsOn()) {
    MaybeZero(reinterpret_cast<void*>(block), bytes);
    return GiveHome(block, owner);
  }
  // Before the block is in reach of other threads, which may let it go.
  MaybeZero(reinterpret_cast<void*>(block), bytes);
  KeyOf(block) = g_address_map.FreeKey();
  QuarantinedBlock displaced;
  if (!g_quarantine.Add({block, static_cast<uint32_t>(bytes), owner}, &displaced)) {
    ReportDoubleFree(reinterpret_cast<void*>(block), bytes);
  }
  if (displaced.address != 0) Leave(displaced);
  for (;;) {
    const QuarantinedBlock oldest = g_quarantine.TakeOldest(Quarantine::Take::kSurplus);
    if (oldest.address == 0) return;
    Leave(oldest);
  }
}

bool GiveToUserHeap(uintptr_t block, size_t bytes, uint16_t owner) {
  UserHeap* const heap = g_user_heaps.OfArena(owner);
  if (heap == nullptr) [[likely]]
    return false;
  MaybeZero(reinterpret_cast<void*>(block), bytes);
  heap->Give(reinterpret_cast<std::byte*>(block), bytes);
  g_heap.releaser.NoteFreed();
  return true;
}

void FreeUncachedRun(const Run& run, uint16_t owner) {
  if (GiveToUserHeap(AddressOf(run.address()), run.bytes(), owner)) return;
  MaybeZero(run.address(), run.bytes());
  g_heap.arenas.Existing(owner)->GiveRun(run);
  g_heap.releaser.NoteFreed();
}

void EmptyQuarantine() {
  for (;;) {
    const QuarantinedBlock oldest = g_quarantine.TakeOldest(Quarantine::Take::kAll);
    if (oldest.address == 0) return;
    Leave(oldest);
  }
}

}  // namespace cma
