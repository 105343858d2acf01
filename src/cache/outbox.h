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

  // Adds a block of `bytes` for the arena numbered `owner`. False if there is no memory to do so.
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
    size_t count_at_sweep;
  };

  static constexpr size_t kRecent = 64;

  void SetBytes(size_t bytes) { bytes_.store(bytes, std::memory_order_relaxed); }
  bool Open(size_t arenas, Metadata& metadata);
  void CheckDoubleFree(uintptr_t block, size_t bytes, const Parcel* parcel);
  Parcel* NewParcel(Arena* home, Metadata& metadata);
  void Post(size_t owner, ArenaSet& arenas);

  Entry* entries_ = nullptr;  // by arena number
  size_t count_ = 0;
  std::atomic<size_t> bytes_{0};  // written by the owner only
  Parcel* spare_ = nullptr;
  uintptr_t* recent_ = nullptr;  // by a hash of the address: what was added last
};

}  // namespace cma

#endif  // CMA_CACHE_OUTBOX_H_
