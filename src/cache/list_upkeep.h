// What is done to the lists of a thread cache when they are empty, full or not used: their arrays
// grow and go, and blocks go back to the arenas.
//
// For the cache's owner, in a slow path; not thread-safe. Arenas are locked one at a time, for one
// batch.
#ifndef CMA_CACHE_LIST_UPKEEP_H_
#define CMA_CACHE_LIST_UPKEEP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cache/thread_cache.h"

namespace cma {

// Bytes that one list may grow to by misses, if the budget allows: 254 blocks up to 128 B and of
// 512 B, 128 of 1 KiB, four of the largest. Small lists were chosen by larson_server/1 (half) and
// producer_consumer/8 (double), larger ones by single_size_loop/1 of 1 KiB and slot_churn/1.
inline constexpr size_t kSmallListBytes = 32 * kKiB;
inline constexpr size_t kLargerListBytes = 128 * kKiB;
// Blocks of larger lists. Chosen by single_size_loop/1 of 1 KiB.
inline constexpr size_t kLargerListFrom = 512;
constexpr size_t ListBytes(SizeClass c) {
  return ClassBytes(c) < kLargerListFrom ? kSmallListBytes : kLargerListBytes;
}

// What it may grow to by overflows alone: a thread that only frees has no use for the blocks.
// Chosen by producer_consumer/2 (half) and thread_phases/2 (double).
inline constexpr size_t kOverflowBytes = 4 * kKiB;

// Blocks, and bytes of blocks, of a new list. Seen in idle_threads; larson_server/1 is the same
// with half and double.
inline constexpr size_t kFirstCapacity = 6;
inline constexpr size_t kFirstListBytes = 1 * kKiB;

// What a list starts with, for free: what idle threads keep is mostly this.
constexpr size_t FirstCapacity(SizeClass c) {
  return std::clamp<size_t>(kFirstListBytes / ClassBytes(c), 1, kFirstCapacity);
}

// Makes the list's array longer, to at most `list_bytes` of blocks, if there is memory and budget
// for it; gives a list that is not in use its first array.
void Grow(ThreadCache* cache, SizeClass c, size_t list_bytes);

// Takes the list out of use. REQUIRES: it is in use, and empty.
void Retire(ThreadCache* cache, SizeClass c);

// A block of the arena's, straight home.
void GiveOne(Arena* arena, uintptr_t block);

// A block of the arena numbered `owner`: by the outbox, or straight home if there is no memory for
// it.
void SendHome(ThreadCache* cache, uintptr_t block, uint16_t owner, size_t bytes);

// A large run, straight home; and all that wait with the thread.
void GiveSpare(uintptr_t block);
void GiveSpares(ThreadCache* cache);

// Gives the `count` oldest blocks of the list back: for good, or for others to take soon.
enum class GiveFor { kGood, kReuse };
void Flush(ThreadCache* cache, SizeClass c, size_t count, GiveFor what);

// Gives the blocks of lists back that seem to be idle: whose depth has not changed since the last
// look, or, if that was long ago, which have had no miss and no overflow lately.
void GiveIdleLists(ThreadCache* cache);

// Lists whose depth has not changed since the last look are given up by halves, then for good.
void SweepLists(ThreadCache* cache);

}  // namespace cma

#endif  // CMA_CACHE_LIST_UPKEEP_H_
