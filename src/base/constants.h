// The geometry of the heap. Every number has a unit, the reason that chose it, and the benchmark
// that shows what another would cost; docs/performance.md, "Constants", has the figures.
#ifndef CMA_BASE_CONSTANTS_H_
#define CMA_BASE_CONSTANTS_H_

#include "base/units.h"

namespace cma {

// Alignment of every block, bytes: max_align_t on x86-64 and AArch64.
inline constexpr size_t kMinAlignment = 16;

// Bytes that a superblock covers, and its alignment: a multiple of the 2 MiB huge
// page, and few enough mappings for heaps of many GiB. Seen in large_churn/1 (half: its peak is
// lower); steady_random/1 is the same with half. Twice as much does not fit a tag.
inline constexpr size_t kSuperblockBytes = 4 * kMiB;
inline constexpr unsigned kSuperblockShift = 22;

// A slab is one unit: the block's offset in it is then the low 16 bits of its address,
// which is what makes the interior-pointer check four instructions (BM_CacheHit). No other size
// does that.
inline constexpr size_t kUnitBytes = 64 * kKiB;
inline constexpr unsigned kUnitShift = 16;
inline constexpr size_t kUnitsPerSuperblock = kSuperblockBytes / kUnitBytes;

// Runs are cut in granules of this many bytes: 1/16 of the smallest run, so that classes
// of runs can be 1/16 apart. Half does not fit a tag; double is the same in slot_churn/1.
inline constexpr size_t kGranuleBytes = 64;
inline constexpr unsigned kGranuleShift = 6;
inline constexpr uint32_t kGranulesPerSuperblock = kSuperblockBytes / kGranuleBytes;

// No run is shorter than a slot, so at most one run starts, and one ends, in each slot:
// that is why one tag per slot can describe them all. Seen in block_overhead/1 of 17,000 B.
inline constexpr size_t kSlotBytes = 1 * kKiB;
inline constexpr uint32_t kGranulesPerSlot = kSlotBytes / kGranuleBytes;
inline constexpr uint32_t kSlotsPerSuperblock = kSuperblockBytes / kSlotBytes;

// Small blocks come from slabs, medium ones from runs through the thread cache, large
// ones from runs, huge ones are mapped alone. Bytes, inclusive. kSmallMax was chosen by
// slot_churn/1 (8 KiB: 1.05 of the time, 1 KiB: 1.2), kMediumMax by
// slot_churn/1 of up to 64 KiB and realloc_ladder/1; 64 KiB does not fit the table of classes.
inline constexpr size_t kSmallMax = 16 * kKiB;
inline constexpr size_t kMediumMax = 32 * kKiB;

// Up to here a thread's cache has the size class of every size in a table, bytes: malloc then takes
// 12 instructions instead of 18 (tests/build/hit_path.txt), for as many bytes per thread. Seen in
// single_size_loop/1 of 1 KiB with half; double is the same.
inline constexpr size_t kTableMax = 1 * kKiB;
// Chosen by large_churn/1: with half its larger blocks fault anew each time. Double is the same.
inline constexpr size_t kLargeMax = 1 * kMiB;
// A large block that is there already may grow to this, bytes, where it is: beyond kLargeMax it
// would have to be copied out of its superblock. Chosen by realloc_ladder/1 (without: 1.2 of the
// time).
inline constexpr size_t kGrownMax = 2 * kMiB;

// Large runs are rounded to this, bytes: 33,000 B cost 33,024, not nine pages. Seen in
// block_overhead/1 of 33,000 B, large_churn/1 (a quarter: 1.2 of the time), and simulated large
// blocks.
inline constexpr size_t kLargeStep = 256;

// Smallest OS page that is handled, bytes; the page maps have one bit for each.
inline constexpr size_t kMinPageBytes = 4 * kKiB;
inline constexpr size_t kMaxPageBytes = 64 * kKiB;
inline constexpr size_t kMinPagesPerSuperblock = kSuperblockBytes / kMinPageBytes;

// User-space addresses are below this (47 bits on x86-64, 48 on AArch64).
#if defined(__aarch64__)
inline constexpr unsigned kAddressBits = 48;
#else
inline constexpr unsigned kAddressBits = 47;
#endif

// Cache lines come in pairs (adjacent-line prefetch): state of different owners is kept
// this many bytes apart. No benchmark on two cores tells: half and double are the same in
// slot_churn/1 and idle_threads.
inline constexpr size_t kIsolation = 128;
// What moves between CPUs, bytes, on most of both architectures.
inline constexpr size_t kCacheLineBytes = 64;

}  // namespace cma

#endif  // CMA_BASE_CONSTANTS_H_
