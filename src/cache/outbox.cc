#include "cache/outbox.h"

#include <string.h>

#include "report/fault.h"

namespace cma {
namespace {

// Bytes that may wait for one arena, and for all of them.
constexpr size_t kParcelBytes = 64 * kKiB;
constexpr size_t kOutboxBytes = 256 * kKiB;

}  // namespace

bool Outbox::Open(size_t arenas, Metadata& metadata) {
  if (recent_ == nullptr) {
    recent_ = static_cast<uintptr_t*>(metadata.Take(kRecent * sizeof(uintptr_t)));
    if (recent_ == nullptr) return false;
    memset(recent_, 0, kRecent * sizeof(uintptr_t));
  }
  entries_ = static_cast<Entry*>(metadata.Take(arenas * sizeof(Entry)));
  if (entries_ == nullptr) return false;
  static_assert(kMaxArenas * sizeof(Entry) <= Metadata::kMaxBytes);
  memset(entries_, 0, arenas * sizeof(Entry));
  count_ = arenas;
  return true;
}

// A block may well come by again, after its arena has lent it out again; but not while it is here.
void Outbox::CheckDoubleFree(uintptr_t block, size_t bytes, const Parcel* parcel) {
  uintptr_t& recent = recent_[(block >> 4 ^ block >> 10) % kRecent];
  if (recent == block) [[unlikely]] {
    for (size_t i = 0; i < parcel->count; ++i) {
      if (AddressOf(parcel->blocks[i]) == block) ReportDoubleFree(parcel->blocks[i], bytes);
    }
  }
  recent = block;
}

Parcel* Outbox::NewParcel(Arena* home, Metadata& metadata) {
  if (spare_ == nullptr) spare_ = home->TakeEmptyParcels();
  Parcel* parcel = spare_;
  if (parcel != nullptr) {
    spare_ = parcel->next;
  } else {
    parcel = static_cast<Parcel*>(metadata.Take(sizeof(Parcel)));
    if (parcel == nullptr) return nullptr;
  }
  parcel->count = 0;
  parcel->bytes = 0;
  parcel->sender = home;
  return parcel;
}

bool Outbox::Add(uintptr_t block, size_t bytes, uint16_t owner, Arena* home, ArenaSet& arenas,
                 Metadata& metadata) {
  if (entries_ == nullptr && !Open(arenas.count(), metadata)) return false;
  Entry& entry = entries_[owner];
  if (entry.parcel == nullptr) {
    entry.parcel = NewParcel(home, metadata);
    if (entry.parcel == nullptr) return false;
    entry.count_at_sweep = 0;
  }
  Parcel* const parcel = entry.parcel;
  CheckDoubleFree(block, bytes, parcel);
  parcel->blocks[parcel->count++] = reinterpret_cast<std::byte*>(block);
  parcel->bytes += bytes;
  SetBytes(this->bytes() + bytes);
  if (parcel->count == Parcel::kCapacity || parcel->bytes >= kParcelBytes) {
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
  if (recent_ != nullptr) metadata.Give(recent_, kRecent * sizeof(uintptr_t));
  recent_ = nullptr;
  while (spare_ != nullptr) {
    Parcel* const parcel = spare_;
    spare_ = parcel->next;
    metadata.Give(parcel, sizeof(Parcel));
  }
  if (entries_ != nullptr) metadata.Give(entries_, count_ * sizeof(Entry));
  entries_ = nullptr;
  count_ = 0;
}

}  // namespace cma
