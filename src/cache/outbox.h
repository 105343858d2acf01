// Blocks of other arenas that a thread has freed, on their way home: collected by owner and
// posted a parcel at a time, so that the owner's cache line is written once per parcel.
//
// The blocks are not touched here: their lines may be in another core's cache, and their next
// owner is to find them there. So a block that is freed twice is noticed by its address while it
// waits here, and after that by its key and its arena's bitmap.
//
// Owner: its cache's thread; not thread-safe.
#ifndef CMA_CACHE_OUTBOX_H_
#define CMA_CACHE_OUTBOX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arena/arena_set.h"
#include "central/metadata.h"

namespace cma {

class Outbox {
 public:
  constexpr Outbox() = default;

  // The block that was last added, of those with the same hash.
  uintptr_t& RecentOf(uintptr_t block) {
    return recent_[static_cast<uint32_t>(block) * kScatter >> (32 - kRecentLog)];
  }

  // Adds a block of `bytes` for the arena numbered `owner`, if that is easy. Whole at every moment:
  // a fork may stop the thread in it. REQUIRES: RecentOf() has been looked at.
  [[nodiscard]] bool TryAdd(uintptr_t block, size_t bytes, uint16_t owner) {
    if (owner >= count_) [[unlikely]] return false;
    Parcel* const parcel = entries_[owner].parcel;
    if (parcel == nullptr || parcel->bytes + bytes >= kParcelBytes ||
        parcel->count + 1 >= parcel->capacity || this->bytes() + bytes >= kOutboxBytes)
        [[unlikely]] {
      return false;
    }
    RecentOf(block) = block;
    parcel->blocks[parcel->count] = reinterpret_cast<std::byte*>(block);
    parcel->bytes += bytes;
    SetBytes(this->bytes() + bytes);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    ++parcel->count;
    return true;
  }

  // The same, easy or not. False if there is no memory to do so.
  // `home`: the arena of the calling thread. Reports a block that waits here already.
  [[nodiscard]] bool Add(uintptr_t block, size_t bytes, uint16_t owner, Arena* home,
                         ArenaSet& arenas, Metadata& metadata);

  // Posts everything.
  void PostAll(ArenaSet& arenas);
  // Posts what has had no company since the last call.
  void PostStale(ArenaSet& arenas);
  // PostAll(), lets the arenas that are not busy take it in, and gives the tables back.
  void Close(ArenaSet& arenas, Metadata& metadata);

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // waiting here; a moment's truth for other threads

 private:
  struct Entry {
    Parcel* parcel;
    uint32_t count_at_sweep;
    ParcelSize size;  // of the next one
  };

  // Bytes that may wait for one arena, and for all of them. kParcelBytes is seen in
  // BM_CacheSendHome of 8 KiB; kOutboxBytes is the same with half and double in producer_consumer/8
  // with blocks of up to 16 KiB.
  static constexpr size_t kParcelBytes = 64 * kKiB;
  static constexpr size_t kOutboxBytes = 256 * kKiB;
  // How far back a second free is found at once. No benchmark tells: it is one line more, or less.
  static constexpr unsigned kRecentLog = 6;
  static constexpr size_t kRecent = size_t{1} << kRecentLog;
  static constexpr uint32_t kScatter = 0x9e3779b1;  // a prime near 2^32 times the golden ratio

  void SetBytes(size_t bytes) { bytes_.store(bytes, std::memory_order_relaxed); }
  bool Open(size_t arenas, Metadata& metadata);
  void CheckDoubleFree(uintptr_t block, size_t bytes, const Parcel* parcel);
  Parcel* NewParcel(ParcelSize size, Arena* home, Metadata& metadata);
  Parcel* MakeParcels(ParcelSize size, Arena* home, Metadata& metadata);
  void Post(size_t owner, ArenaSet& arenas);

  Entry* entries_ = nullptr;  // by arena number
  size_t count_ = 0;
  std::atomic<size_t> bytes_{0};  // written by the owner only
  Parcel* spare_[kParcelSizes] = {};
  uintptr_t recent_[kRecent] = {};  // by a hash of the address
};

}  // namespace cma

#endif  // CMA_CACHE_OUTBOX_H_
