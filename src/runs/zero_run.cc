#include "runs/zero_run.h"

#include <string.h>

#include <algorithm>

#include "os/os_memory.h"

namespace cma {

void ZeroRun(void* block, size_t size, const ZeroPages& zero_pages) {
  const size_t page = OsPageBytes();
  auto* const start = static_cast<std::byte*>(block);
  std::byte* const end = start + size;
  std::byte* const first = reinterpret_cast<std::byte*>(RoundDown(AddressOf(start), page));
  const size_t pages = (static_cast<size_t>(end - first) + page - 1) / page;
  // Stretches at a time: a page by itself takes 1.2 times as long.
  for (size_t i = 0; i < pages;) {
    const size_t from = std::min(zero_pages.zero.FindClearFrom(i), pages);
    const size_t to = std::min(zero_pages.zero.FindFrom(from), pages);
    if (from == to) break;
    std::byte* const at = std::max(start, first + from * page);
    memset(at, 0, static_cast<size_t>(std::min(end, first + to * page) - at));
    i = to;
  }
}

}  // namespace cma
