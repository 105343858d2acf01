// The arrays of one thread cache's lists. Lists come into use, grow and go out of use far too
// often for a lock that all threads share: the pool fetches memory in chunks and keeps it until
// the thread ends.
//
// Owner: the cache's thread; not thread-safe.
#ifndef CMA_CACHE_ARRAY_POOL_H_
#define CMA_CACHE_ARRAY_POOL_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "central/metadata.h"

namespace cma {

class ArrayPool {
 public:
  constexpr ArrayPool() = default;

  // Lends the pool its first memory.
  void Lend(std::byte* memory, size_t bytes) {
    chunk_ = memory;
    chunk_left_ = bytes;
  }

  // `slots` words, contents undefined; nullptr if the OS refuses memory.
  // REQUIRES: slots <= kMaxSlots.
  [[nodiscard]] uintptr_t* Take(size_t slots, Metadata& metadata);
  // REQUIRES: from Take(slots).
  void Give(uintptr_t* array, size_t slots);
  // Gives all chunks back. REQUIRES: no array is in use.
  void Clear(Metadata& metadata);

  static constexpr size_t kMaxSlots = 256;
  // Half is the same in idle_threads.
  static constexpr size_t kChunkBytes = 8 * kKiB;

 private:
  struct Unused {
    Unused* next;
  };
  struct Chunk {
    Chunk* next;
  };
  static constexpr size_t kSizes = 6;  // 64 B << i

  bool AddChunk(Metadata& metadata);

  std::array<Unused*, kSizes> unused_{};
  std::byte* chunk_ = nullptr;
  size_t chunk_left_ = 0;
  Chunk* chunks_ = nullptr;
};

}  // namespace cma

#endif  // CMA_CACHE_ARRAY_POOL_H_
