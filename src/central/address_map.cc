#include "central/address_map.h"

namespace cma {
namespace {

constexpr size_t kUnits = size_t{1} << (kAddressBits - kUnitShift);

}  // namespace

alignas(kIsolation) constinit UnitEntry g_no_unit_entries[kIsolation / sizeof(UnitEntry)] = {};

constinit AddressMap g_address_map;

void AddressMap::Initialize(const OsOps& os) {
  os_ = &os;
  std::byte* map = os.reserve(kUnits * sizeof(UnitEntry));
  entries_ = map != nullptr ? reinterpret_cast<UnitEntry*>(map) : g_no_unit_entries;
  mask_ = map != nullptr ? kUnits - 1 : 0;
}

bool AddressMap::AllowUnits(uintptr_t address) {
  if (mask_ == 0) return true;
  constexpr size_t kPieceBytes = (size_t{1} << (kPieceShift - kUnitShift)) * sizeof(UnitEntry);
  static_assert(kPieceBytes >= kMaxPageBytes);
  const size_t piece = address >> kPieceShift;
  std::atomic<uint64_t>& word = allowed_[piece / 64];
  const uint64_t bit = uint64_t{1} << (piece % 64);
  if ((word.load(std::memory_order_relaxed) & bit) != 0) return true;
  auto* start = reinterpret_cast<std::byte*>(entries_) + piece * kPieceBytes;
  if (!os_->allow(start, kPieceBytes)) return false;
  word.fetch_or(bit, std::memory_order_relaxed);
  return true;
}

bool AddressMap::Register(Superblock* superblock, Metadata& metadata) {
  const uintptr_t address = AddressOf(superblock->base);
  const uintptr_t index = address >> kSuperblockShift;
  if (index >= kLeaves * kLeafEntries || !AllowUnits(address)) return false;
  Leaf* leaf = leaves_[index / kLeafEntries].load(std::memory_order_relaxed);
  if (leaf == nullptr) {
    leaf = static_cast<Leaf*>(metadata.TakePages(sizeof(Leaf)));
    if (leaf == nullptr) return false;
    leaves_[index / kLeafEntries].store(leaf, std::memory_order_release);
  }
  // Release pairs with the acquire in FindSuperblock(): its fields are visible with it.
  leaf->entries[index % kLeafEntries].store(superblock, std::memory_order_release);
  return true;
}

void AddressMap::Unregister(const Superblock* superblock) {
  const uintptr_t index = AddressOf(superblock->base) >> kSuperblockShift;
  Leaf* leaf = leaves_[index / kLeafEntries].load(std::memory_order_relaxed);
  leaf->entries[index % kLeafEntries].store(nullptr, std::memory_order_release);
}

}  // namespace cma
