// The inbox of an arena: parcels of blocks that other arenas' threads have freed, what is done with
// a block that comes home, and the way of the empty parcels back.
#include <algorithm>

#include "arena/arena.h"
#include "os/instructions.h"
#include "report/fault.h"

namespace cma {

void Arena::Post(Parcel* parcel) {
  const auto weight = static_cast<uint32_t>(1 + (parcel->bytes - 1) / kHeavyBytes);
  Parcel* head = inbox_.load(std::memory_order_relaxed);
  do {
    parcel->next = head;
    // Release pairs with the acquire in DrainInbox(): the addresses and the last writes of the
    // freeing threads to the blocks are visible to their next owner.
  } while (!inbox_.compare_exchange_weak(head, parcel, std::memory_order_release,
                                         std::memory_order_relaxed));
  const uint32_t waiting = inbox_weight_.fetch_add(weight, std::memory_order_relaxed) + weight;
  if (waiting < kMostParcels || !lock_.TryAcquire()) return;
  DrainInbox();
  lock_.Release();
}

void Arena::Deliver(Parcel* parcel) {
  if (!lock_.TryAcquire()) return Post(parcel);
  TakeIn(parcel, g_no_lists.data());
  lock_.Release();
  parcel->sender->ReturnEmpty(parcel);
}

// A block that carries the key has probably been freed twice; but a program may as well have copied
// the key out of memory that it got and did not write to.
void Arena::CheckDoubleFree(SizeClass c, const std::byte* block) {
  if (HoldsFree(c, block) || (cache_probe_ != nullptr && cache_probe_(c, block))) {
    ReportDoubleFree(block, ClassBytes(c));
  }
}

bool Arena::HoldsPosted(const std::byte* block) {
  // Others add parcels in front, and take none away. Acquire pairs with the release in Post().
  for (const Parcel* parcel = inbox_.load(std::memory_order_acquire); parcel != nullptr;
       parcel = parcel->next) {
    for (size_t i = 0; i < parcel->count; ++i) {
      if (Parcel::At(parcel->Place(i)) == block) return true;
    }
  }
  return false;
}

void Arena::DrainInbox(BlockList* lists) {
  inbox_weight_.store(0, std::memory_order_relaxed);
  Parcel* parcel = inbox_.exchange(nullptr, std::memory_order_acquire);
  while (parcel != nullptr) {
    Parcel* const next = parcel->next;
    TakeIn(parcel, lists);
    parcel->sender->ReturnEmpty(parcel);
    parcel = next;
  }
}

void Arena::ReturnEmpty(Parcel* parcel) {
  std::atomic<Parcel*>& empties = empties_[static_cast<size_t>(parcel->size)];
  Parcel* head = empties.load(std::memory_order_relaxed);
  do {
    parcel->next = head;
    // Release pairs with the acquire in TakeEmptyParcels(): the reader of the parcel is done.
  } while (!empties.compare_exchange_weak(head, parcel, std::memory_order_release,
                                          std::memory_order_relaxed));
}

Parcel* Arena::TakeEmptyParcels(ParcelSize size) {
  std::atomic<Parcel*>& empties = empties_[static_cast<size_t>(size)];
  if (empties.load(std::memory_order_relaxed) == nullptr) return nullptr;
  return empties.exchange(nullptr, std::memory_order_acquire);
}

// Every block may be of another class.
void Arena::TakeIn(const Parcel* parcel, BlockList* lists) {
  const AddressMap& map = runs_.central().map();
  const uint64_t free_key = AddressMap::FreeKey();
  const uint32_t owner_tag = AddressMap::OwnerTag(id_);
  const size_t limit = DepotLimit();
  // Blocks: about the time that a line takes to arrive. Double is the same in producer_consumer/2.
  constexpr size_t kAhead = 8;
  const size_t count = parcel->count;
  for (size_t i = 0; i < std::min(count, kAhead); ++i) {
    PrefetchForWrite(Parcel::At(parcel->Place(count - 1 - i)));
  }
  for (size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) PrefetchForWrite(Parcel::At(parcel->Place(count - 1 - (i + kAhead))));
    std::byte* const block = Parcel::At(parcel->Place(count - 1 - i));
    SizeClass c = map.Unit(AddressOf(block)) ^ owner_tag;
    if (c == 0 || c >= kSmallClasses) [[unlikely]] {
      c = ClassOfBlock(block);
      if (c == 0) {
        TakeInLarge(block, lists);
        continue;
      }
    }
    uint64_t& key = reinterpret_cast<uint64_t*>(block)[1];
    if (key == free_key) [[unlikely]]
      CheckDoubleFree(c, block);
    if (uintptr_t* const slot = lists[c]; *slot != kFullMark) [[likely]] {
      PushAt(slot, lists, c, AddressOf(block), free_key);
      continue;
    }
    key = free_key;
    Depot& depot = depots_[c];
    const size_t bytes = depot_bytes_ + ClassBytes(c);
    if (depot.count == depot.capacity || bytes > limit) [[unlikely]] {
      std::byte* const one = block;  // so that `block` need not lie in memory
      GiveBatch(c, &one, 1);
      continue;
    }
    depot.blocks[depot.count++] = block;
    depot.used = batches_;
    depot_bytes_ = bytes;
  }
}

void Arena::TakeInLarge(std::byte* block, BlockList* lists) {
  const uintptr_t address = AddressOf(block);
  if (KeyOf(address) == AddressMap::FreeKey()) [[unlikely]]
    CheckDoubleFree(0, block);
  if (IsFull(lists[0])) {
    KeyOf(address) = 0;
    return GiveBlocks(&block, 1);
  }
  Push(lists, 0, address, AddressMap::FreeKey());
}

// 0 for a large run. REQUIRES: it is a block of a slab or a used run of this arena, by what the map
// and the tags say.
SizeClass Arena::ClassOfBlock(const std::byte* block) {
  Superblock* const superblock = runs_.central().map().FindSuperblock(AddressOf(block));
  if (superblock == nullptr) [[unlikely]]
    ReportCorruption("a free block is unmapped", block);
  if (const SizeClass c = SmallClassAt(superblock, block); c != 0) return c;
  const Run run = UsedRunAt(superblock, block);
  if (run.length == 0) [[unlikely]]
    ReportDoubleFree(block, 0);
  return run.bytes() <= kMediumMax ? LargerClassOf(run.bytes()) : 0;
}

}  // namespace cma
