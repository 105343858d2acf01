#include "cache/wrong_pointer.h"

#include "arena/heap.h"
#include "cache/cache_registry.h"
#include "hardening/quarantine.h"
#include "report/fault.h"
#include "slabs/mixed_slab.h"

namespace cma {
namespace {

// The run that holds the address; length 0 if the tags know none (the superblock is free).
Run RunAround(Superblock* superblock, const void* pointer) {
  const auto granule = static_cast<uint32_t>(
      (AddressOf(pointer) - AddressOf(superblock->base)) >> kGranuleShift);
  for (uint32_t g = 0; g < kGranulesPerSuperblock;) {
    const Run run = RunAt(superblock, g);
    if (run.length == 0 || granule < run.end()) return run;
    g = run.end();
  }
  return {};
}

// Whatever was there, no block begins at such an address.
void RefuseMisaligned(const char* operation, const void* pointer) {
  if (AddressOf(pointer) % kMinAlignment != 0) ReportInteriorPointer(operation, pointer, 0);
}

// Where no blocks are known.
[[noreturn]] void ReportInFreeMemory(const char* operation, const void* pointer) {
  RefuseMisaligned(operation, pointer);
  ReportFreeMemory(operation, pointer);
}

[[noreturn]] void ReportInSlab(const char* operation, const Slab* slab, const void* pointer) {
  const size_t bytes =
      slab->is_mixed ? MixedBytesAround(slab->superblock, pointer) : slab->block_bytes;
  // A hole of a mixed slab has room for blocks anywhere.
  const bool is_hole =
      slab->is_mixed && IsFreeInSlab(slab, static_cast<const std::byte*>(pointer));
  if (!is_hole && SmallClassAt(slab->superblock, pointer) == 0) {
    ReportInteriorPointer(operation, pointer, bytes);
  }
  if (is_hole) ReportInFreeMemory(operation, pointer);
  ReportFreedBlock(operation, pointer, bytes);
}

[[noreturn]] void ReportOutsideSuperblocks(const char* operation, const void* pointer) {
  const auto* const address = static_cast<const std::byte*>(pointer);
  if (const size_t bytes = g_heap.huge.BytesAround(address); bytes != 0) {
    ReportInteriorPointer(operation, pointer, bytes);
  }
  if (g_heap.huge.WasFreed(address)) {
    RefuseMisaligned(operation, pointer);
    ReportFreedBlock(operation, pointer, 0);
  }
  ReportForeignPointer(operation, pointer);
}

}  // namespace

bool IsFree(SizeClass c, const void* block) {
  Superblock* const superblock = g_address_map.FindSuperblock(AddressOf(block));
  Arena* const arena = superblock != nullptr ? g_heap.arenas.Owner(superblock) : nullptr;
  if (arena == nullptr) return true;
  {
    LockGuard guard(arena->lock());
    const auto* const address = static_cast<const std::byte*>(block);
    if (arena->HoldsFree(c, address) || arena->HoldsPosted(address)) return true;
  }
  return g_caches.Holds(c, AddressOf(block)) || g_quarantine.Holds(AddressOf(block));
}

void ReportWrongPointer(const char* operation, const void* pointer) {
  if (AddressOf(pointer) >> kAddressBits != 0) ReportForeignPointer(operation, pointer);
  Superblock* const superblock = g_address_map.FindSuperblock(AddressOf(pointer));
  if (superblock == nullptr) ReportOutsideSuperblocks(operation, pointer);
  Arena* const arena = g_heap.arenas.Owner(superblock);
  if (arena == nullptr) ReportInFreeMemory(operation, pointer);
  if (const Slab* slab = SlabAt(superblock, pointer)) ReportInSlab(operation, slab, pointer);
  Run run;
  bool used;
  {
    LockGuard guard(arena->lock());
    run = RunAround(superblock, pointer);
    used = run.length != 0 && StateOf(run) == RunState::kUsed;
  }
  if (!used) ReportInFreeMemory(operation, pointer);
  if (run.address() == pointer) ReportFreedBlock(operation, pointer, run.bytes());
  ReportInteriorPointer(operation, pointer, run.bytes());
}

}  // namespace cma
