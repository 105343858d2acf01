#include "tool/system_facts.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/constants.h"
#include "base/units.h"
#include "central/address_map.h"
#include "central/huge_pages.h"
#include "os/os_cpu.h"
#include "os/os_memory.h"
#include "tool/process_files.h"

namespace cma::tool {
namespace {

constexpr char kCgroups[] = "/sys/fs/cgroup";
// Limits of cgroup v1 beyond this are none: it has no word for that.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;
// Of the unit map, and of the least address space of which the library reserves it.
constexpr uint64_t kUnitMapBytes = (uint64_t{1} << (kAddressBits - kUnitShift)) * sizeof(UnitEntry);
constexpr uint64_t kLeastForUnitMap = 8 * kUnitMapBytes;

std::string ReadLine(const std::string& path) {
  std::string line;
  std::getline(std::ifstream(path) >> std::ws, line);
  return line;
}

// The word in brackets: "always [madvise] never".
std::string Chosen(absl::string_view text) {
  const size_t open = text.find('[');
  const size_t close = text.find(']');
  if (open == absl::string_view::npos || close == absl::string_view::npos) return "unknown";
  return std::string(text.substr(open + 1, close - open - 1));
}

std::string Bytes(uint64_t bytes) {
  constexpr uint64_t kMebibyte = uint64_t{1} << 20;
  return bytes < kMebibyte ? absl::StrCat(bytes / 1024, " KiB")
                           : absl::StrCat(bytes / kMebibyte, " MiB");
}

// The process's group in the unified hierarchy, "" at its root or without one.
std::string Group(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid == 0 ? getpid() : pid, "/cgroup"));
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "0::/")) return line == "0::/" ? "" : line.substr(3);
  }
  return "";
}

uint64_t MemoryLimit(pid_t pid) {
  const uint64_t limit = TightestLimit(kCgroups, Group(pid), "memory.max");
  if (limit != 0) return limit;
  uint64_t old = 0;
  const std::string text = ReadLine(absl::StrCat(kCgroups, "/memory/memory.limit_in_bytes"));
  return absl::SimpleAtoi(text, &old) && old < kNoLimit ? old : 0;
}

size_t CpusFrom(absl::string_view quota_us, absl::string_view period_us) {
  size_t quota = 0;
  size_t period = 0;
  if (!absl::SimpleAtoi(quota_us, &quota) || !absl::SimpleAtoi(period_us, &period)) return 0;
  return quota == 0 || period == 0 ? 0 : (quota + period - 1) / period;
}

// As the library does: of cgroup v1 only what the root of its view says.
size_t OldCpuQuota() {
  return CpusFrom(ReadLine(absl::StrCat(kCgroups, "/cpu/cpu.cfs_quota_us")),
                  ReadLine(absl::StrCat(kCgroups, "/cpu/cpu.cfs_period_us")));
}

// CPUs' worth of time, rounded up; 0: no quota. "QUOTA PERIOD" in each cpu.max.
size_t CpuQuota(pid_t pid) {
  size_t cpus = 0;
  std::string group = Group(pid);
  for (;;) {
    const std::string text = ReadLine(absl::StrCat(kCgroups, group, "/cpu.max"));
    const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(text, ' ');
    const size_t granted = CpusFrom(words.first, words.second);
    if (granted != 0) cpus = cpus == 0 ? granted : std::min(cpus, granted);
    if (group.empty()) return cpus != 0 ? cpus : OldCpuQuota();
    group.erase(group.rfind('/'));
  }
}

size_t UsableCpus(pid_t pid) {
  cpu_set_t* const set = CPU_ALLOC(kMaxCpus);
  const size_t bytes = CPU_ALLOC_SIZE(kMaxCpus);
  const bool known = sched_getaffinity(pid, bytes, set) == 0;
  const auto count = known ? static_cast<size_t>(CPU_COUNT_S(bytes, set)) : 0;
  CPU_FREE(set);
  return count;
}

// Lines of the form "name  value: meaning".
class Lines {
 public:
  void Add(absl::string_view name, absl::string_view value, absl::string_view meaning) {
    absl::StrAppendFormat(&text_, "%-16s %s%s%s\n", name, value, meaning.empty() ? "" : ": ",
                          meaning);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

absl::string_view OfHugePages(absl::string_view mode) {
  if (mode == "always") return "the kernel may back all of the heap with them";
  if (mode == "madvise") return "cma asks for them in large blocks and large heaps (huge_pages)";
  return "there are none, whatever cma asks for";
}

void AddPageFault(Lines& lines) {
  const int64_t time = kLinuxOs.fault_time();
  lines.Add("page fault", absl::StrFormat("%.1f us", static_cast<double>(time) / 1000),
            time < HugePages::kDear || !kLinuxOs.gives_huge()
                ? ""
                : "slow, so cma asks for huge pages beyond the first 4 MiB of an arena, and in "
                  "blocks above 1 MiB");
}

absl::string_view OfOvercommit(absl::string_view mode) {
  if (mode == "0") return "the usual guess: memory counts when it is touched";
  if (mode == "1") return "never refused: memory counts when it is touched";
  return "strict: malloc may fail early; cma returns what is free, and tries again, before it does";
}

// The last setting counts, as in the library. ParseOptions() would complain of others' mistakes.
size_t WantedArenas(absl::string_view options) {
  size_t wanted = 0;
  for (absl::string_view setting : absl::StrSplit(options, ',')) {
    size_t number = 0;
    if (absl::ConsumePrefix(&setting, "arenas=") && absl::SimpleAtoi(setting, &number)) {
      wanted = number;
    }
  }
  return wanted;
}

void AddArenas(pid_t pid, absl::string_view options, Lines& lines) {
  const size_t cpus = UsableCpus(pid);
  const size_t quota = CpuQuota(pid);
  lines.Add("usable CPUs", cpus == 0 ? "unknown" : absl::StrCat(cpus),
            quota == 0 ? "no quota of the cgroup"
                       : absl::StrCat("the cgroup grants the time of ", quota));
  const size_t wanted = WantedArenas(options);
  const size_t usable = quota == 0 ? cpus : std::min(cpus, quota);
  const size_t arenas = wanted != 0 ? std::min(wanted, kMaxArenas) : ArenasFor(usable);
  lines.Add("arenas", absl::StrCat(arenas),
            wanted != 0 ? "as the option arenas says"
            : usable >= kManyCpus
                ? "one per CPU that it may really use and one more, once two threads "
                  "allocate"
                : "one per CPU that it may really use, once two threads allocate");
}

void AddRseq(pid_t pid, Lines& lines) {
  const std::string tunables = VariableOfProcess(pid == 0 ? getpid() : pid, "GLIBC_TUNABLES");
  const bool off = absl::StrContains(tunables, "glibc.pthread.rseq=0");
  const bool there = __rseq_size != 0 && !off;
  lines.Add("rseq", there ? "registered" : "not registered",
            there ? "a thread learns its CPU with one load"
                  : "a thread asks for its CPU with sched_getcpu()");
}

std::string OfAddressLimit(uint64_t limit) {
  const std::string map = absl::StrCat("the map of ", kUnitMapBytes >> 30, " GiB");
  if (limit >= kLeastForUnitMap) return absl::StrCat("free() looks blocks up in ", map);
  return absl::StrCat("below ", kLeastForUnitMap >> 30, " GiB ", map,
                      " is left out, and free() looks blocks up in a slower table");
}

void AddAddressLimit(pid_t pid, Lines& lines) {
  rlimit limit{};
  if (prlimit(pid, RLIMIT_AS, nullptr, &limit) != 0) return;
  const uint64_t bytes = limit.rlim_cur;
  lines.Add("address space", bytes == RLIM_INFINITY ? "not limited" : Bytes(bytes),
            OfAddressLimit(bytes));
}

}  // namespace

uint64_t TightestLimit(const std::string& root, absl::string_view group, absl::string_view name) {
  uint64_t tightest = 0;
  for (;;) {
    uint64_t limit = 0;
    if (absl::SimpleAtoi(ReadLine(absl::StrCat(root, group, "/", name)), &limit)) {
      tightest = tightest == 0 ? limit : std::min(tightest, limit);
    }
    if (group.empty()) return tightest;
    group = group.substr(0, group.rfind('/'));
  }
}

std::string SystemFacts(pid_t pid, absl::string_view options) {
  Lines lines;
  lines.Add("page size", Bytes(static_cast<uint64_t>(sysconf(_SC_PAGESIZE))), "");
  const std::string thp = Chosen(ReadLine("/sys/kernel/mm/transparent_hugepage/enabled"));
  lines.Add("huge pages", thp, OfHugePages(thp));
  AddPageFault(lines);
  const std::string overcommit = ReadLine("/proc/sys/vm/overcommit_memory");
  lines.Add("overcommit", overcommit.empty() ? "unknown" : overcommit, OfOvercommit(overcommit));
  AddAddressLimit(pid, lines);
  const uint64_t memory = MemoryLimit(pid);
  lines.Add("cgroup memory", memory == 0 ? "not limited" : Bytes(memory),
            memory == 0 ? "" : "beyond it the kernel reclaims, then kills");
  AddRseq(pid, lines);
  AddArenas(pid, options, lines);
  return lines.Take();
}

}  // namespace cma::tool
