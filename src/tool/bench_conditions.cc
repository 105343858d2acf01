#include "tool/bench_conditions.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cma::tool {
namespace {

constexpr absl::string_view kMethod = "method";

// How the names of those begin.
constexpr absl::string_view kAllocatorVariables[] = {
    "CMA_OPTIONS=", "MALLOC_", "GLIBC_TUNABLES=", "MIMALLOC_", "TCMALLOC_", "TBB_MALLOC_"};

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(parts.first) == "model name") {
      return std::string(absl::StripAsciiWhitespace(parts.second));
    }
  }
  return "unknown";
}

std::string AllocatorVariables() {
  std::vector<absl::string_view> found;
  for (char* const* variable = environ; *variable != nullptr; ++variable) {
    for (const absl::string_view start : kAllocatorVariables) {
      if (absl::StartsWith(*variable, start)) found.emplace_back(*variable);
    }
  }
  return found.empty() ? "none that an allocator reads" : absl::StrJoin(found, " ");
}

// As a shell would want it.
std::string CommandLine(Arguments arguments) {
  std::string line = "cma bench";
  for (const absl::string_view word : arguments) {
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n\"'\\$&|;<>()*?`") == absl::string_view::npos;
    absl::StrAppend(&line, " ", plain ? "" : "'", word, plain ? "" : "'");
  }
  return line;
}

void AddMachine(BenchConditions& conditions) {
  cpu_set_t mask;
  const int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
  utsname kernel{};
  uname(&kernel);
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                        static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 30);
  conditions.emplace_back("processor", Processor());
  conditions.emplace_back("usable CPUs", absl::StrCat(cpus));
  conditions.emplace_back("memory", absl::StrFormat("%.1f GiB", memory));
  conditions.emplace_back("kernel",
                          absl::StrCat(kernel.sysname, " ", kernel.release, " ", kernel.machine));
  conditions.emplace_back("libc", absl::StrCat("glibc ", gnu_get_libc_version()));
  conditions.emplace_back("transparent huge pages",
                          FirstLine("/sys/kernel/mm/transparent_hugepage/enabled"));
  conditions.emplace_back("load average before", FirstLine("/proc/loadavg"));
}

}  // namespace

BenchConditions DescribeConditions(const BenchRequest& request, Arguments arguments) {
  BenchConditions conditions;
  AddMachine(conditions);
  conditions.emplace_back("cma and scenarios built with", CMA_BUILD_DESCRIPTION);
  conditions.emplace_back("environment", AllocatorVariables());
  conditions.emplace_back("date",
                          absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::Now(), absl::UTCTimeZone()));
  conditions.emplace_back("command", CommandLine(arguments));
  conditions.emplace_back(kMethod,
                          absl::StrCat("medians of ", request.repeat, " interleaved runs"));
  if (request.program == nullptr) {
    conditions.emplace_back("length", absl::StrCat("fixed work, aimed at ", request.seconds, " s"));
    conditions.emplace_back("rest", absl::StrCat(request.rest_seconds, " s"));
  }
  return conditions;
}

void DescribeInterrupt(const BenchRequest& request, size_t done, size_t all,
                       BenchConditions& conditions) {
  for (auto& [name, value] : conditions) {
    if (name != kMethod) continue;
    value = absl::StrCat("medians of up to ", request.repeat,
                         " interleaved runs, interrupted after ", done, " of ", all);
  }
}

}  // namespace cma::tool
