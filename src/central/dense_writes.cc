#include "central/dense_writes.h"

#include <string.h>

#include <algorithm>

#include "base/constants.h"
#include "options/options.h"

namespace cma {
namespace {

// What no program writes there, but by chance.
constexpr uint32_t kMark = 0x8c5f'a3d1;

// Where in a block. Who writes a byte of each page as a rule does so from the block's first one on,
// and a block may be an eighth longer than the program has asked for.
constexpr size_t MarkAt(size_t bytes) {
  return RoundDown(bytes - bytes / 8 - sizeof kMark, kMinPageBytes);
}
static_assert(MarkAt(DenseWrites::kMoreThan + 1) != 0);  // that one is written in any case

}  // namespace

uint8_t DenseWrites::BetweenMarks(const Size& size) {
  if (size.written == kEnough) return kBetweenMarks;
  return size.is_sparse ? kBetweenMarksIfSparse : 0;
}

void DenseWrites::Look(const OsOps& os, Size& size) {
  if (size.mark == nullptr || !IsPowerOfTwo(size.since)) return;
  // Where freed blocks are cleared it is not the program that has written a zero.
  const bool written =
      os.differs(size.mark, kMark) && (g_options.zero_on_free == 0 || os.differs(size.mark, 0));
  if (!written && size.since < kPatience) return;
  size.written = written ? std::min<uint8_t>(size.written + 1, kEnough) : 0;
  size.is_sparse = !written;
  size.mark = nullptr;
  size.since = 0;
}

void DenseWrites::Settle(const OsOps& os, const std::byte* start, size_t bytes) {
  for (Size& size : sizes_) {
    if (size.mark < start || size.mark >= start + bytes) continue;
    size.since = kPatience;
    Look(os, size);
  }
}

bool DenseWrites::ExpectedOf(const OsOps& os, std::byte* block, size_t bytes) {
  const auto i = static_cast<size_t>(std::bit_width((bytes - 1) / kMoreThan) - 1);
  Size& size = sizes_[std::min(i, sizes_.size() - 1)];
  ++size.since;
  Look(os, size);
  if (size.mark == nullptr && size.since >= BetweenMarks(size)) {
    size.since = 0;
    size.mark = block + MarkAt(bytes);
    memcpy(size.mark, &kMark, sizeof kMark);
    return false;
  }
  return size.written == kEnough;
}

}  // namespace cma
