#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include "os/cgroup.h"
#include "os/small_file.h"
#include "os/syscall.h"

namespace cma {
namespace {

// A path below the root of the control groups, in a fixed buffer.
class Path {
 public:
  Path& Add(const char* text) { return Add(text, strlen(text)); }
  Path& Add(const char* text, size_t length) {
    if (size_ + length >= sizeof text_) {
      fits_ = false;
      return *this;
    }
    memcpy(text_ + size_, text, length);
    size_ += length;
    text_[size_] = '\0';
    return *this;
  }
  // Reads the file; false if there is none.
  bool Read(char* buffer, size_t capacity) const {
    return fits_ && ReadSmallFile(text_, buffer, capacity) > 0;
  }

 private:
  char text_[512] = {};
  size_t size_ = 0;
  bool fits_ = true;
};

// 0 stands for no limit.
size_t Tighter(size_t a, size_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

size_t CpusFrom(long quota, long period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<size_t>((quota + period - 1) / period);
}

// A limit in bytes; "max", and the v1 kernel's number for it, are none.
size_t BytesFrom(const char* text) {
  constexpr long kNoLimit = long{1} << 60;
  const long bytes = ParseNumber(&text);
  return bytes > 0 && bytes < kNoLimit ? static_cast<size_t>(bytes) : 0;
}

// The process's group in the hierarchy of a controller; the empty name is that of cgroup v2.
struct Group {
  const char* path;  // not ended by a null
  size_t length;     // 0: the root, or none
};

// Whether the comma-separated controllers of a line hold `name`.
bool Lists(const char* controllers, size_t length, const char* name) {
  const size_t n = strlen(name);
  if (n == 0) return length == 0;
  for (size_t at = 0; at + n <= length;) {
    const void* comma = memchr(controllers + at, ',', length - at);
    const size_t end = comma != nullptr
                           ? static_cast<size_t>(static_cast<const char*>(comma) - controllers)
                           : length;
    if (end - at == n && memcmp(controllers + at, name, n) == 0) return true;
    at = end + 1;
  }
  return false;
}

// Lines are ID:CONTROLLERS:PATH.
Group FindGroup(const char* text, const char* controller) {
  for (const char* line = text; *line != '\0';) {
    const char* const end = strchrnul(line, '\n');
    const auto* first =
        static_cast<const char*>(memchr(line, ':', static_cast<size_t>(end - line)));
    const auto* second =
        first != nullptr
            ? static_cast<const char*>(memchr(first + 1, ':', static_cast<size_t>(end - first - 1)))
            : nullptr;
    if (second != nullptr &&
        Lists(first + 1, static_cast<size_t>(second - first - 1), controller)) {
      const auto path_length = static_cast<size_t>(end - second - 1);
      return {second + 1, path_length == 1 ? 0 : path_length};  // the root group is "/"
    }
    line = *end == '\0' ? end : end + 1;
  }
  return {text, 0};
}

// Calls visit(group) for the group and all around it, up to the root of what can be seen.
template <typename Visit>
void UpToTheRoot(Group group, Visit visit) {
  for (;;) {
    visit(group);
    if (group.length == 0) return;
    while (group.length > 0 && group.path[group.length - 1] != '/') --group.length;
    if (group.length > 0) --group.length;
  }
}

size_t TightestBytes(const CgroupFiles& files, const char* hierarchy, Group group,
                     const char* file) {
  size_t limit = 0;
  UpToTheRoot(group, [&](const Group& at) {
    char text[64];
    if (Path()
            .Add(files.root)
            .Add(hierarchy)
            .Add(at.path, at.length)
            .Add(file)
            .Read(text, sizeof text)) {
      limit = Tighter(limit, BytesFrom(text));
    }
  });
  return limit;
}

}  // namespace

size_t OsCgroupCpuQuota(const CgroupFiles& files) {
  char membership[2048];
  ReadSmallFile(files.membership, membership, sizeof membership);
  size_t cpus = 0;
  UpToTheRoot(FindGroup(membership, ""), [&](const Group& at) {
    char text[64];
    if (!Path().Add(files.root).Add(at.path, at.length).Add("/cpu.max").Read(text, sizeof text)) {
      return;
    }
    const char* p = text;
    const long quota = ParseNumber(&p);
    cpus = Tighter(cpus, CpusFrom(quota, ParseNumber(&p)));
  });
  if (cpus != 0) return cpus;
  char quota[32];
  char period[32];
  if (!Path().Add(files.root).Add("/cpu/cpu.cfs_quota_us").Read(quota, sizeof quota) ||
      !Path().Add(files.root).Add("/cpu/cpu.cfs_period_us").Read(period, sizeof period)) {
    return 0;
  }
  const char* q = quota;
  const char* p = period;
  const long quota_us = ParseNumber(&q);
  return CpusFrom(quota_us, ParseNumber(&p));
}

size_t OsCgroupMemoryLimit(const CgroupFiles& files) {
  char membership[2048];
  ReadSmallFile(files.membership, membership, sizeof membership);
  const Group unified = FindGroup(membership, "");
  const size_t v2 = Tighter(TightestBytes(files, "", unified, "/memory.max"),
                            TightestBytes(files, "", unified, "/memory.high"));
  const size_t v1 =
      TightestBytes(files, "/memory", FindGroup(membership, "memory"), "/memory.limit_in_bytes");
  return Tighter(v2, v1);
}

size_t OsMachineMemory() {
  struct sysinfo info;
  if (RawSyscall(SYS_sysinfo, reinterpret_cast<long>(&info)) != 0) return 0;
  return size_t{info.totalram} * info.mem_unit;
}

size_t OsUsableMemory() { return Tighter(OsCgroupMemoryLimit(), OsMachineMemory()); }

}  // namespace cma
