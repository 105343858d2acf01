// Addresses of blocks on their way home. The freeing thread does not need to link
// the blocks, and so does not write to memory that another core is about to use.
#ifndef CMA_ARENA_PARCEL_H_
#define CMA_ARENA_PARCEL_H_

#include <string.h>

#include <cstddef>
#include <cstdint>

#include "base/constants.h"

namespace cma {

class Arena;

// A thread that frees a few blocks for each of many arenas fills small ones; what goes to one arena
// all the time travels in large ones. The large size shows in BM_CacheSendHome; the small one does
// where there are many arenas: producer_consumer and larson_server, simulated on 64 cores.
enum class ParcelSize : uint8_t { kSmall, kLarge };
inline constexpr size_t kParcelSizes = 2;

struct Parcel {
  Parcel* next;
  Arena* sender;  // gets the empty parcel back
  size_t bytes;   // of the blocks
  uint16_t count;
  ParcelSize size;
  // One place after the other. The memory of a small parcel ends after Capacity(kSmall) of them.
  std::byte places[2021];

  // Of an address: what it has without the bits that are 0 in user space. Fewer lines go from core to
  // core than with whole words.
  static constexpr size_t kPlaceBytes = 6;
  static_assert(kAddressBits <= 8 * kPlaceBytes);

  static constexpr size_t MemoryBytes(ParcelSize size) {
    return size == ParcelSize::kSmall ? 256 : 2048;
  }
  static constexpr size_t Capacity(ParcelSize size) {
    // A whole word is written to each place, and read.
    return (MemoryBytes(size) - offsetof(Parcel, places) - sizeof(uintptr_t)) / kPlaceBytes + 1;
  }

  std::byte* Place(size_t i) { return places + i * kPlaceBytes; }
  const std::byte* Place(size_t i) const { return places + i * kPlaceBytes; }
  // Places are filled in order: the word's upper bytes lie in the next one.
  static void Put(std::byte* place, uintptr_t block) { memcpy(place, &block, sizeof block); }
  static std::byte* At(const std::byte* place) {
    uintptr_t word;
    memcpy(&word, place, sizeof word);
    return reinterpret_cast<std::byte*>(word & ((uintptr_t{1} << 8 * kPlaceBytes) - 1));
  }
};
static_assert(sizeof(Parcel) == Parcel::MemoryBytes(ParcelSize::kLarge));

}  // namespace cma

#endif  // CMA_ARENA_PARCEL_H_
