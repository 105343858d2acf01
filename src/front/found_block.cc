#include "front/found_block.h"

#include "arena/heap.h"
#include "cache/thread_cache.h"
#include "cache/wrong_pointer.h"

namespace cma {
namespace {

bool CarriesKey(uintptr_t block) { return KeyOf(block) == g_address_map.FreeKey(); }

FoundBlock FindHuge(const char* operation, const void* block) {
  const auto* const start = static_cast<const std::byte*>(block);
  const size_t bytes = g_heap.huge.BytesOf(start);
  if (bytes == 0) ReportWrongPointer(operation, block);
  return {FoundBlock::kHuge, bytes, {}, UserHeaps::OfAccount(g_heap.huge.AccountOf(start))};
}

}  // namespace

FoundBlock FindBlock(const char* operation, const void* block) {
  const uintptr_t address = AddressOf(block);
  Superblock* const superblock = g_address_map.FindSuperblock(address);
  if (superblock == nullptr) return FindHuge(operation, block);
  UserHeap* const heap = g_user_heaps.OfArena(superblock->arena.load(std::memory_order_relaxed));
  if (const SizeClass c = SmallClassAt(superblock, block); c != 0) {
    // A free block of a heap of the program's has no key, but one place only where it can be.
    const bool is_free = heap != nullptr ? heap->HoldsFree(c, static_cast<const std::byte*>(block))
                                         : CarriesKey(address) && IsFree(c, block);
    if (is_free) ReportWrongPointer(operation, block);
    return {FoundBlock::kSmall, ClassBytes(c), {}, heap};
  }
  const Run run = UsedRunAt(superblock, block);
  if (run.length == 0) ReportWrongPointer(operation, block);
  if (run.bytes() <= SpareRuns::kMostBytes && CarriesEitherKey(address, AddressMap::FreeKey()) &&
      IsFree(run.bytes() <= kMediumMax ? LargerClassOf(run.bytes()) : 0, block)) {
    ReportWrongPointer(operation, block);
  }
  return {FoundBlock::kRun, run.bytes(), run, heap};
}

}  // namespace cma
