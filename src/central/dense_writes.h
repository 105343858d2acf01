// Whether the program writes the whole of the blocks that it takes. If it does, the memory of one
// that has none can be fetched in one call, in a fraction of the time that a page fault for each
// page takes. If it does not, that would hold memory that nobody uses.
//
// What is known is known by powers of two of the size: in a block that came without memory a word
// near its end is marked, and looked at when further blocks come.
//
// Not thread-safe: guarded by its owner's lock.
#ifndef CMA_CENTRAL_DENSE_WRITES_H_
#define CMA_CENTRAL_DENSE_WRITES_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "os/os_memory.h"

namespace cma {

class DenseWrites {
 public:
  // Smaller blocks are not asked for here: with two pages or less, the first byte is half of it
  // all.
  static constexpr size_t kMoreThan = 8 * kKiB;

  // Whether a block without memory, with any contents, may be expected to be written as a whole. If
  // not it may get a page of its memory here, for the mark. REQUIRES: bytes > kMoreThan.
  bool ExpectedOf(const OsOps& os, std::byte* block, size_t bytes);

  // Whole pages are about to lose their memory, or their place: what is marked in them is decided.
  // No mark is looked at where it is not the owner's any longer.
  void Settle(const OsOps& os, const std::byte* start, size_t bytes);

 private:
  // Blocks in a row that were written before the next ones are expected to be. kv_store/2 has 1.22
  // of the page faults with double, the same with half.
  static constexpr uint8_t kEnough = 2;
  // Blocks that come before one that is not yet written counts as one that will not be. kv_store/2
  // has 1.23 of the page faults with half.
  static constexpr uint8_t kPatience = 32;
  // Of those that are expected to be written, one in so many is left to the program and marked.
  // kv_store/2 has 1.30 of the page faults with half, the same with double.
  static constexpr uint8_t kBetweenMarks = 16;
  // After one that was not written. Not varied: it bounds what marks take, a page each, where
  // blocks of three pages get a byte.
  static constexpr uint8_t kBetweenMarksIfSparse = 64;

  struct Size {
    std::byte* mark;  // nullptr if none is looked at
    uint8_t since;    // blocks that have come after it, or since it was decided
    uint8_t written;  // blocks in a row, up to kEnough
    bool is_sparse;   // the last one was not
  };
  void Look(const OsOps& os, Size& size);
  static uint8_t BetweenMarks(const Size& size);

  std::array<Size, 16> sizes_ = {};  // [i]: up to kMoreThan << (i + 1), the last one: and more
};

}  // namespace cma

#endif  // CMA_CENTRAL_DENSE_WRITES_H_
