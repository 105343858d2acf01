// What cma asks of the operating system about memory, time and place. Failures are values; no
// function touches errno or allocates. Thread-safe.
//
// The functions are reached through a table, so that a test can put an operating system
// under a layer that refuses the N-th call or whose clock stands still.
#ifndef CMA_OS_OS_MEMORY_H_
#define CMA_OS_OS_MEMORY_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace cma {

// What came of an attempt to change the length of a mapping.
enum class Resized {
  kYes,
  kNo,
  kFixed,  // nor can it be moved: the kernel has several mappings there, or may not lock more
};

struct OsOps {
  // Zero-filled memory; nullptr if refused. REQUIRES: bytes > 0, whole pages.
  std::byte* (*map)(size_t bytes);
  // Address space that reads as zero and cannot be written until Allow; nullptr if refused, and if
  // it would be more than an eighth of what the process may have (RLIMIT_AS).
  std::byte* (*reserve)(size_t bytes);
  // Makes reserved memory writable; false if refused. REQUIRES: whole pages.
  bool (*allow)(std::byte* start, size_t bytes);
  // Gives address space back; false if the OS refuses (it can, when it has to split a mapping).
  bool (*unmap)(std::byte* start, size_t bytes);
  // Gives the memory back and keeps the addresses: they read as zero again.
  // `lazily` (MADV_FREE) leaves it to the OS when; then the contents are undefined. False if refused.
  bool (*decommit)(std::byte* start, size_t bytes, bool lazily);
  // Whether it gives transparent huge pages of kHugePageBytes where it is asked for them.
  bool (*gives_huge)();
  // Asks for transparent huge pages, and takes that back; pages that are there stay as they are. A
  // refusal does no harm.
  void (*advise_huge)(std::byte* start, size_t bytes);
  void (*advise_small)(std::byte* start, size_t bytes);
  // Fetches memory for pages that will be written soon, in one call: each by itself is a page
  // fault, which takes many times as long. What is there already stays as it is; a refusal does no
  // harm.
  void (*populate)(std::byte* start, size_t bytes);
  // Whether a word, aligned, is another than `expected`; false too where nothing is mapped.
  bool (*differs)(std::byte* word, uint32_t expected);
  // Writes a zero to `byte`; nanoseconds until its page was there.
  int64_t (*touch)(std::byte* byte);
  // Nanoseconds that a page fault takes where nothing interrupts it; 0 if the OS refuses a page to
  // measure. Measured by the first call.
  int64_t (*fault_time)();
  // Changes the length of a mapping without moving it.
  Resized (*resize)(std::byte* start, size_t old_bytes, size_t new_bytes);
  // Moves a mapping's pages onto [target, target + new_bytes), which is mapped and is replaced;
  // the old range is unmapped. False if refused, and then both ranges are as before. REQUIRES:
  // resize has said kNo: the kernel takes the target away before it sees other obstacles.
  bool (*move)(std::byte* start, size_t old_bytes, std::byte* target, size_t new_bytes);
  // Monotonic clock, to a few ms.
  Milliseconds (*now)();
  // Number of the CPU that runs the caller, a moment ago.
  uint32_t (*cpu)();
};

// Whole pages.
struct PageRange {
  std::byte* start = nullptr;
  size_t bytes = 0;

  std::byte* end() const { return start + bytes; }
};

// The operating system this process runs on.
extern const OsOps kLinuxOs;

// A transparent huge page where the others have 4 KiB.
inline constexpr size_t kHugePageBytes = 2 * kMiB;

// Bytes in an OS page: 4, 16 or 64 KiB. Constant after the first call.
size_t OsPageBytes();
// The same as a shift, which takes less time than a division.
inline unsigned OsPageShift() { return static_cast<unsigned>(std::countr_zero(OsPageBytes())); }

// Memory from `os` whose address is a multiple of `alignment`; nullptr if refused.
// REQUIRES: bytes a multiple of the page size; alignment a power of two.
[[nodiscard]] std::byte* MapAligned(const OsOps& os, size_t bytes, size_t alignment);

}  // namespace cma

#endif  // CMA_OS_OS_MEMORY_H_
