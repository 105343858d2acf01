#include "central/dense_writes.h"

#include <algorithm>

namespace cma {

void DenseWrites::Look(const OsOps& os, Size& size) {
  if (size.probe == nullptr || !IsPowerOfTwo(size.since)) return;
  if (os.is_resident(size.probe)) {
    size.written = std::min<uint8_t>(size.written + 1, kEnough);
  } else if (size.since < kPatience) {
    return;
  } else {
    size.written = 0;
  }
  size.probe = nullptr;
  size.since = 0;
}

bool DenseWrites::ExpectedOf(const OsOps& os, std::byte* block, size_t bytes) {
  const auto i = static_cast<size_t>(std::bit_width((bytes - 1) / kMoreThan) - 1);
  Size& size = sizes_[std::min(i, sizes_.size() - 1)];
  ++size.since;
  Look(os, size);
  if (size.written == kEnough && (size.probe != nullptr || size.since < kBetweenProbes))
    return true;
  if (size.probe == nullptr) {
    // The last page that no other block has a part of. The program writes to the first one in any
    // case.
    const size_t page = OsPageBytes();
    std::byte* const last =
        block + (RoundDown(AddressOf(block) + bytes, page) - AddressOf(block)) - page;
    if (last <= block) return false;
    size.probe = last;
    size.since = 0;
  }
  return false;
}

}  // namespace cma
