#include "runs/zero_run.h"

#include <string.h>

#include <algorithm>

#include "os/os_memory.h"

namespace cma {

void ZeroRun(void* block, size_t size, const ZeroPages& zero_pages) {
  const size_t page = OsPageBytes();
  auto* const start = static_cast<std::byte*>(block);
  std::byte* const end = start + size;
  std::byte* at = start;
  for (size_t i = 0; at < end; ++i) {
    std::byte* const next =
        std::min(end, reinterpret_cast<std::byte*>(RoundDown(AddressOf(at), page) + page));
    if (!zero_pages.zero.Test(i)) memset(at, 0, static_cast<size_t>(next - at));
    at = next;
  }
}

}  // namespace cma
