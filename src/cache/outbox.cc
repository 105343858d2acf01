#include "cache/outbox.h"

#include <string.h>

#include <algorithm>

#include "report/fault.h"

namespace cma {
bool Outbox::OpenTable(size_t arenas, Metadata& metadata) {
  const size_t bytes = (arenas + 1) * sizeof(Entry);
  static_assert((kMaxArenas + 1) * sizeof(Entry) <= Metadata::kMaxBytes);
  entries_ = static_cast<Entry*>(metadata.Take(bytes));
  if (entries_ == nullptr) return false;
  memset(entries_, 0, bytes);
  places_ = arenas + 1;
  return true;
}

// A block may well come by again, after its arena has lent it out again; but not while it is here.
void Outbox::CheckDoubleFree(uintptr_t block, size_t bytes, const Entry& entry) {
  uintptr_t& recent = RecentOf(block);
  if (recent == block) [[unlikely]] {
    for (const std::byte* place = entry.parcel->places; place != entry.next;
         place += Parcel::kPlaceBytes) {
      std::byte* const waiting = Parcel::At(place);
      if (AddressOf(waiting) == block) ReportDoubleFree(waiting, bytes);
    }
  }
  recent = block;
}

// Several at once, linked: all threads share the metadata's lock. With two threads nothing tells:
// half and double are the same in producer_consumer/2.
Parcel* Outbox::MakeParcels(ParcelSize size, Arena* home, Metadata& metadata) {
  constexpr size_t kTogether = 4 * kKiB;
  static_assert(offsetof(Parcel, next) == 0);
  const size_t bytes = Parcel::MemoryBytes(size);
  auto* const first = static_cast<Parcel*>(metadata.TakeChain(bytes, kTogether / bytes));
  for (Parcel* parcel = first; parcel != nullptr; parcel = parcel->next) {
    parcel->sender = home;
    parcel->size = size;
  }
  return first;
}

Parcel* Outbox::NewParcel(ParcelSize size, Arena* home, Metadata& metadata) {
  Parcel*& spare = spare_[static_cast<size_t>(size)];
  if (spare == nullptr) spare = home->TakeEmptyParcels(size);
  if (spare == nullptr) spare = MakeParcels(size, home, metadata);
  Parcel* const parcel = spare;
  if (parcel == nullptr) return nullptr;
  spare = parcel->next;
  return parcel;
}

// The first block is of `bytes`.
void Outbox::Open(Entry& entry, Parcel* parcel, size_t bytes) {
  if (entry.heavy == 0) entry.heavy = static_cast<uint16_t>(kParcelBytes / bytes);
  const size_t most = std::min<size_t>(Parcel::Capacity(entry.size), entry.heavy);
  entry.parcel = parcel;
  entry.next = parcel->places;
  entry.last = parcel->Place(most - 1);
  entry.bytes = 0;
  entry.count_at_sweep = 0;
}

bool Outbox::Add(uintptr_t block, size_t bytes, uint16_t owner, Arena* home, ArenaSet& arenas,
                 Metadata& metadata) {
  if (entries_ == nullptr && !OpenTable(arenas.count(), metadata)) return false;
  if (bytes > kParcelBytes) {
    Parcel* const parcel = NewParcel(ParcelSize::kSmall, home, metadata);
    if (parcel == nullptr) return false;
    // Marked, so that a second free is told at once: a line more for so many bytes is little.
    KeyOf(block) = PostedKey(AddressMap::FreeKey());
    Parcel::Put(parcel->places, block);
    parcel->count = 1;
    parcel->bytes = bytes;
    arenas.Existing(owner)->Post(parcel);
    return true;
  }
  if (bytes > kOutboxBytes - this->bytes()) PostAll(arenas);
  Entry& entry = EntryOf(owner);
  if (entry.parcel == nullptr) {
    Parcel* const parcel = NewParcel(entry.size, home, metadata);
    if (parcel == nullptr) return false;
    Open(entry, parcel, bytes);
  }
  CheckDoubleFree(block, bytes, entry);
  const bool is_full = entry.next == entry.last;
  Parcel::Put(entry.next, block);
  entry.next += Parcel::kPlaceBytes;
  entry.bytes += bytes;
  SetBytes(this->bytes() + bytes);
  if (is_full) {
    if (entry.count() == Parcel::Capacity(ParcelSize::kSmall)) entry.size = ParcelSize::kLarge;
    Post(owner, arenas);
  }
  return true;
}

// REQUIRES: there is one.
Parcel* Outbox::CloseParcel(Entry& entry) {
  Parcel* const parcel = entry.parcel;
  parcel->count = entry.count();
  parcel->bytes = entry.bytes;
  entry.heavy = static_cast<uint16_t>(std::max<size_t>(kParcelBytes * parcel->count / entry.bytes, 1));
  entry.parcel = nullptr;
  entry.next = entry.last = nullptr;
  SetBytes(bytes() - entry.bytes);
  return parcel;
}

void Outbox::Post(size_t owner, ArenaSet& arenas) {
  arenas.Existing(owner)->Post(CloseParcel(EntryOf(owner)));
}

bool Outbox::HasMoreThan(size_t blocks) const {
  size_t count = 0;
  for (size_t place = 1; place < places_ && count <= blocks; ++place) {
    if (entries_[place].parcel != nullptr) count += entries_[place].count();
  }
  return count > blocks;
}

void Outbox::PostAll(ArenaSet& arenas) {
  for (size_t owner = 0; owner + 1 < places_; ++owner) {
    if (EntryOf(owner).parcel != nullptr) Post(owner, arenas);
  }
}

void Outbox::DeliverAll(ArenaSet& arenas) {
  for (size_t owner = 0; owner + 1 < places_; ++owner) {
    if (EntryOf(owner).parcel == nullptr) continue;
    arenas.Existing(owner)->Deliver(CloseParcel(EntryOf(owner)));
  }
}

void Outbox::PostStale(ArenaSet& arenas) {
  for (size_t owner = 0; owner + 1 < places_; ++owner) {
    Entry& entry = EntryOf(owner);
    if (entry.parcel == nullptr) continue;
    if (entry.count() == entry.count_at_sweep) {
      entry.size = ParcelSize::kSmall;
      Post(owner, arenas);
    } else {
      entry.count_at_sweep = entry.count();
    }
  }
}

void Outbox::Close(ArenaSet& arenas, Metadata& metadata) {
  for (size_t owner = 0; owner + 1 < places_; ++owner) {
    if (EntryOf(owner).parcel != nullptr) Post(owner, arenas);
    Arena* const arena = arenas.Existing(owner);
    if (arena == nullptr || !arena->HasPost() || !arena->lock().TryAcquire()) continue;
    arena->DrainInbox();
    arena->lock().Release();
  }
  // Not to their senders: whoever comes next takes all that is there, and others beside it make more.
  for (size_t i = 0; i < kParcelSizes; ++i) {
    metadata.GiveChain(spare_[i], Parcel::MemoryBytes(ParcelSize{static_cast<uint8_t>(i)}));
    spare_[i] = nullptr;
  }
  if (entries_ != nullptr) metadata.Give(entries_, places_ * sizeof(Entry));
  entries_ = nullptr;
  places_ = 0;
}

}  // namespace cma
