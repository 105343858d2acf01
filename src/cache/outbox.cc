#include "cache/outbox.h"

#include <string.h>

#include "report/fault.h"

namespace cma {
bool Outbox::Open(size_t arenas, Metadata& metadata) {
  entries_ = static_cast<Entry*>(metadata.Take(arenas * sizeof(Entry)));
  if (entries_ == nullptr) return false;
  static_assert(kMaxArenas * sizeof(Entry) <= Metadata::kMaxBytes);
  memset(entries_, 0, arenas * sizeof(Entry));
  count_ = arenas;
  return true;
}

// A block may well come by again, after its arena has lent it out again; but not while it is here.
void Outbox::CheckDoubleFree(uintptr_t block, size_t bytes, const Parcel* parcel) {
  uintptr_t& recent = RecentOf(block);
  if (recent == block) [[unlikely]] {
    for (size_t i = 0; i < parcel->count; ++i) {
      if (AddressOf(parcel->blocks[i]) == block) ReportDoubleFree(parcel->blocks[i], bytes);
    }
  }
  recent = block;
}

// Several at once, linked: all threads share the metadata's lock. With two threads nothing tells:
// half and double are the same in producer_consumer/2.
Parcel* Outbox::MakeParcels(ParcelSize size, Arena* home, Metadata& metadata) {
  constexpr size_t kTogether = 4 * kKiB;
  auto* const memory = static_cast<std::byte*>(metadata.Take(kTogether));
  if (memory == nullptr) return nullptr;
  Parcel* first = nullptr;
  for (size_t at = 0; at < kTogether; at += Parcel::MemoryBytes(size)) {
    auto* const parcel = reinterpret_cast<Parcel*>(memory + at);
    parcel->next = first;
    parcel->sender = home;
    parcel->size = size;
    parcel->capacity = Parcel::Capacity(size);
    first = parcel;
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
  parcel->count = 0;
  parcel->bytes = 0;
  return parcel;
}

bool Outbox::Add(uintptr_t block, size_t bytes, uint16_t owner, Arena* home, ArenaSet& arenas,
                 Metadata& metadata) {
  if (entries_ == nullptr && !Open(arenas.count(), metadata)) return false;
  Entry& entry = entries_[owner];
  if (entry.parcel == nullptr) {
    entry.parcel = NewParcel(entry.size, home, metadata);
    if (entry.parcel == nullptr) return false;
    entry.count_at_sweep = 0;
  }
  Parcel* const parcel = entry.parcel;
  CheckDoubleFree(block, bytes, parcel);
  parcel->blocks[parcel->count++] = reinterpret_cast<std::byte*>(block);
  parcel->bytes += bytes;
  SetBytes(this->bytes() + bytes);
  const bool is_full = parcel->count == parcel->capacity;
  if (is_full || parcel->bytes >= kParcelBytes) {
    if (is_full) entry.size = ParcelSize::kLarge;
    Post(owner, arenas);
  } else if (this->bytes() >= kOutboxBytes) {
    PostAll(arenas);
  }
  return true;
}

void Outbox::Post(size_t owner, ArenaSet& arenas) {
  Parcel* const parcel = entries_[owner].parcel;
  entries_[owner].parcel = nullptr;
  SetBytes(bytes() - parcel->bytes);
  arenas.Existing(owner)->Post(parcel);
}

void Outbox::PostAll(ArenaSet& arenas) {
  for (size_t i = 0; i < count_; ++i) {
    if (entries_[i].parcel != nullptr) Post(i, arenas);
  }
}

void Outbox::PostStale(ArenaSet& arenas) {
  for (size_t i = 0; i < count_; ++i) {
    Entry& entry = entries_[i];
    if (entry.parcel == nullptr) continue;
    if (entry.parcel->count == entry.count_at_sweep) {
      entry.size = ParcelSize::kSmall;
      Post(i, arenas);
    } else {
      entry.count_at_sweep = entry.parcel->count;
    }
  }
}

void Outbox::Close(ArenaSet& arenas, Metadata& metadata) {
  for (size_t i = 0; i < count_; ++i) {
    if (entries_[i].parcel != nullptr) Post(i, arenas);
    Arena* const arena = arenas.Existing(i);
    if (arena == nullptr || !arena->HasPost() || !arena->lock().TryAcquire()) continue;
    arena->DrainInbox();
    arena->lock().Release();
  }
  for (Parcel*& spare : spare_) {
    while (spare != nullptr) {
      Parcel* const parcel = spare;
      spare = parcel->next;
      parcel->sender->ReturnEmpty(parcel);
    }
  }
  if (entries_ != nullptr) metadata.Give(entries_, count_ * sizeof(Entry));
  entries_ = nullptr;
  count_ = 0;
}

}  // namespace cma
