// Blocks of other arenas that a thread has freed, on their way home: collected by owner and
// posted a parcel at a time, so that the owner's cache line is written once per parcel.
//
// The blocks are not touched here: their lines may be in another core's cache, and their next
// owner is to find them there. So a block that is freed twice is noticed by its address while it
// waits here, and after that by its key and its arena's bitmap. A large run above kParcelBytes is
// the exception: it is posted alone, and marked with a key.
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

  // Adds a block for the arena whose number is one below `place`, if that is easy; it counts for
  // `bytes`. Whole at every moment: a fork may stop the thread in it. REQUIRES: block is below
  // 2^kAddressBits.
  [[nodiscard]] bool TryAdd(uintptr_t block, size_t bytes, size_t place) {
    if (place >= places_) [[unlikely]] return false;
    Entry& entry = entries_[place];
    size_t room = room_.load(std::memory_order_relaxed);
    if (entry.next == entry.last || __builtin_sub_overflow(room, bytes, &room)) [[unlikely]] {
      return false;
    }
    uintptr_t& recent = RecentOf(block);
    if (recent == block) [[unlikely]] return false;
    recent = block;
    Parcel::Put(entry.next, block);
    entry.bytes += bytes;
    room_.store(room, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    entry.next += Parcel::kPlaceBytes;
    return true;
  }
  // Bytes that should wait for one arena, by what the blocks before weighed. A heavier block does
  // not wait. Chosen by one thread that frees another one's blocks of 34 KB to 260 KB.
  static constexpr size_t kParcelBytes = 512 * kKiB;
  // More than may wait here.
  static constexpr uint32_t kTooManyBytes = uint32_t{1} << 30;

  // The same, easy or not; one above kParcelBytes is posted at once. False if there is no memory to
  // do so.
  // `home`: the arena of the calling thread. Reports a block that waits here already.
  [[nodiscard]] bool Add(uintptr_t block, size_t bytes, uint16_t owner, Arena* home,
                         ArenaSet& arenas, Metadata& metadata);

  // Posts everything.
  void PostAll(ArenaSet& arenas);
  // Posts what has had no company since the last call.
  void PostStale(ArenaSet& arenas);
  // PostAll(), but arenas that are not busy take it in at once.
  void DeliverAll(ArenaSet& arenas);
  // PostAll(), lets the arenas that are not busy take in all that is there, and gives the tables
  // back.
  void Close(ArenaSet& arenas, Metadata& metadata);

  // Whether more than so many blocks wait here.
  bool HasMoreThan(size_t blocks) const;
  // What they weigh; a moment's truth for other threads.
  size_t bytes() const {
    return kOutboxBytes - room_.load(std::memory_order_relaxed);
  }

 private:
  struct Entry {
    // Of the parcel: the next free place and the last one. The same if there is no parcel.
    std::byte* next;
    std::byte* last;
    Parcel* parcel;
    size_t bytes;            // of the parcel's blocks
    uint16_t count_at_sweep;
    uint16_t heavy;          // so many blocks like the last ones weigh kParcelBytes; 0: not known
    ParcelSize size;         // of the next parcel

    // REQUIRES: there is a parcel.
    uint16_t count() const {
      return static_cast<uint16_t>((next - parcel->places) / ptrdiff_t{Parcel::kPlaceBytes});
    }
  };

  // Bytes that may wait for all arenas: one that is written to all the time has what it can use.
  // Double is the same with blocks of 34 KB to 260 KB.
  static constexpr size_t kOutboxBytes = 512 * kKiB;
  // How far back a second free is found at once. No benchmark tells: it is one line more, or less.
  static constexpr unsigned kRecentLog = 6;
  static constexpr size_t kRecent = size_t{1} << kRecentLog;
  static constexpr uint32_t kScatter = 0x9e3779b1;  // a prime near 2^32 times the golden ratio

  void SetBytes(size_t bytes) { room_.store(kOutboxBytes - bytes, std::memory_order_relaxed); }
  Entry& EntryOf(size_t owner) { return entries_[owner + 1]; }
  bool OpenTable(size_t arenas, Metadata& metadata);
  void CheckDoubleFree(uintptr_t block, size_t bytes, const Entry& entry);
  Parcel* NewParcel(ParcelSize size, Arena* home, Metadata& metadata);
  Parcel* MakeParcels(ParcelSize size, Arena* home, Metadata& metadata);
  void Open(Entry& entry, Parcel* parcel, size_t bytes);
  Parcel* CloseParcel(Entry& entry);
  void Post(size_t owner, ArenaSet& arenas);

  uintptr_t recent_[kRecent] = {};  // by a hash of the address
  Entry* entries_ = nullptr;  // the first is nobody's, then by arena number
  size_t places_ = 0;         // entries
  std::atomic<size_t> room_{kOutboxBytes};  // written by the owner only
  Parcel* spare_[kParcelSizes] = {};
};

}  // namespace cma

#endif  // CMA_CACHE_OUTBOX_H_
