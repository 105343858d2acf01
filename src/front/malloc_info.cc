#include "front/malloc_info.h"

#include <errno.h>
#include <limits.h>

#include "cma/cma.h"
#include "report/text.h"
#include "stats/stats.h"

namespace cma {
namespace {

int CutToInt(size_t n) { return n > size_t{INT_MAX} ? INT_MAX : static_cast<int>(n); }

void AddElement(Text& text, const char* name, size_t bytes) {
  text.Add("<").Add(name).Add(" size=\"").AddNumber(bytes).Add("\"/>\n");
}

}  // namespace

struct mallinfo2 MallInfo2() {
  cma_stats s;
  CollectStats(&s);
  struct mallinfo2 info = {};
  info.arena = s.mapped_bytes - s.huge_bytes - s.metadata_bytes;
  info.hblks = s.huge_blocks;
  info.hblkhd = s.huge_bytes;
  info.uordblks = s.live_bytes - s.huge_bytes;
  info.fsmblks = s.thread_cached_bytes;
  info.fordblks =
      s.thread_cached_bytes + s.slab_free_bytes + s.free_run_bytes + s.free_superblock_bytes;
  info.keepcost = s.dirty_bytes;
  return info;
}

struct mallinfo MallInfo() {
  const struct mallinfo2 wide = MallInfo2();
  struct mallinfo info = {};
  info.arena = CutToInt(wide.arena);
  info.hblks = CutToInt(wide.hblks);
  info.hblkhd = CutToInt(wide.hblkhd);
  info.uordblks = CutToInt(wide.uordblks);
  info.fsmblks = CutToInt(wide.fsmblks);
  info.fordblks = CutToInt(wide.fordblks);
  info.keepcost = CutToInt(wide.keepcost);
  return info;
}

int MallocInfo(int options, FILE* stream) {
  if (options != 0) {
    errno = EINVAL;
    return -1;
  }
  cma_stats s;
  CollectStats(&s);
  Text text;
  text.Add("<malloc version=\"cma-").Add(cma_version()).Add("\">\n");
  AddElement(text, "mapped", s.mapped_bytes);
  AddElement(text, "live", s.live_bytes);
  AddElement(text, "cached", s.thread_cached_bytes);
  AddElement(text, "slab_free", s.slab_free_bytes);
  AddElement(text, "free_runs", s.free_run_bytes);
  AddElement(text, "free_superblocks", s.free_superblock_bytes);
  AddElement(text, "metadata", s.metadata_bytes);
  AddElement(text, "dirty", s.dirty_bytes);
  AddElement(text, "huge", s.huge_bytes);
  text.Add("</malloc>\n");
  return fwrite(text.data(), 1, text.size(), stream) == text.size() ? 0 : -1;
}

}  // namespace cma
