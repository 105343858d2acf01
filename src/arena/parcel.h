// Addresses of small and medium blocks on their way home. The freeing thread does not need to link
// the blocks, and so does not write to memory that another core is about to use.
#ifndef CMA_ARENA_PARCEL_H_
#define CMA_ARENA_PARCEL_H_

#include <cstddef>
#include <cstdint>

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
  uint32_t count;
  uint16_t capacity;
  ParcelSize size;
  size_t bytes;  // of the blocks
  // As many as `capacity` says: the memory of a small parcel ends there.
  std::byte* blocks[252];

  static constexpr size_t MemoryBytes(ParcelSize size) {
    return size == ParcelSize::kSmall ? 256 : 2048;
  }
  static constexpr uint16_t Capacity(ParcelSize size) {
    return static_cast<uint16_t>((MemoryBytes(size) - offsetof(Parcel, blocks)) /
                                 sizeof(std::byte*));
  }
};
static_assert(sizeof(Parcel) == Parcel::MemoryBytes(ParcelSize::kLarge));

}  // namespace cma

#endif  // CMA_ARENA_PARCEL_H_
