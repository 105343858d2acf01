// Settings, read from CMA_OPTIONS=name=value,name=value… at the first allocation.
//
// Ownership: one process-wide object, written by ParseOptions() under the start-up lock, and
// later, where the option allows it, by SetOption() from any thread. A reader sees one value or
// the other.
#ifndef CMA_OPTIONS_OPTIONS_H_
#define CMA_OPTIONS_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "options/setting.h"

namespace cma {

enum class Profile : uint64_t { kBalanced, kLowMemory, kThroughput, kHardened };
enum class StatsFormat : uint64_t { kOff, kText, kJson, kPrometheus };

struct Options {
  Setting profile = static_cast<uint64_t>(Profile::kBalanced);
  Setting release_delay_ms = 500;
  Setting background_thread = 1;
  Setting background_start_mib = 8;
  Setting madv_free = 0;
  Setting arenas = 0;
  Setting cache_budget_kib = 32768;
  Setting depot_kib = 1024;
  Setting huge_cache_mib = 1024;
  Setting huge_pages = 1;
  Setting populate = 1;
  Setting soft_limit = 0;
  Setting hard_limit = 0;
  Setting stats = static_cast<uint64_t>(StatsFormat::kOff);
  Setting zero_on_free = 0;
  Setting quarantine_kib = 0;
  Setting deepbind = 0;
  Setting strict = 0;
};

// What a bare number means, and which suffixes a value may have.
enum class OptionUnit : uint8_t {
  kNumber,
  kFlag,          // 0 or 1
  kMilliseconds,  // ms, s, min, h
  kKibibytes,     // k, KiB, m, MiB, … (powers of 1024)
  kMebibytes,     // the same
  kLimit,         // bytes, the same, or a percentage of the memory that the process may use
  kWord,          // one of a few names
};

// Whether cma_option_set() may change it.
enum class OptionChange : uint8_t { kAtStart, kAnyTime };

// One entry per option: the parser, the help text, the README's table and the man page come from
// it.
struct OptionInfo {
  const char* name;
  Setting Options::*field;
  OptionUnit unit;
  OptionChange change;
  uint64_t least;  // of the values that are not 0
  uint64_t most;
  const char* help;
  const char* const* words = nullptr;  // kWord: the names of 0 to `most`
};

inline constexpr const char* kProfileWords[] = {"balanced", "low_memory", "throughput", "hardened"};
inline constexpr const char* kStatsWords[] = {"off", "text", "json", "prometheus"};

inline constexpr OptionInfo kOptions[] = {
    {"profile", &Options::profile, OptionUnit::kWord, OptionChange::kAtStart, 0, 3,
     "other defaults for a purpose; options that are given themselves win, wherever they stand",
     kProfileWords},
    {"release_delay_ms", &Options::release_delay_ms, OptionUnit::kMilliseconds,
     OptionChange::kAnyTime, 1, 86'400'000,
     "free memory returns to the OS once it was unused for half to all of this time; 0 = at once"},
    {"background_thread", &Options::background_thread, OptionUnit::kFlag, OptionChange::kAtStart, 1,
     1, "1: a thread returns memory while the program is idle; 0: only the program's own calls do"},
    {"background_start_mib", &Options::background_start_mib, OptionUnit::kMebibytes,
     OptionChange::kAnyTime, 1, uint64_t{1} << 27,
     "heap size from which the background thread is worth having"},
    {"madv_free", &Options::madv_free, OptionUnit::kFlag, OptionChange::kAtStart, 1, 1,
     "1: return memory with MADV_FREE (cheaper, but RSS does not show it); 0: MADV_DONTNEED"},
    {"arenas", &Options::arenas, OptionUnit::kNumber, OptionChange::kAtStart, 1, 512,
     "number of arenas; 0 = one per usable CPU, from 8 on one more, and one while only one thread "
     "allocates"},
    {"cache_budget_kib", &Options::cache_budget_kib, OptionUnit::kKibibytes, OptionChange::kAnyTime,
     1, uint64_t{1} << 37,
     "what all thread caches together may hold in lists that have grown, and of large blocks "
     "beyond "
     "256 KiB per thread; on more than 64 usable CPUs the default is 512 for each"},
    {"depot_kib", &Options::depot_kib, OptionUnit::kKibibytes, OptionChange::kAnyTime, 1,
     uint64_t{1} << 30,
     "what an arena may keep ready for its threads, in addition to 1/32 of its memory"},
    {"huge_cache_mib", &Options::huge_cache_mib, OptionUnit::kMebibytes, OptionChange::kAnyTime, 1,
     uint64_t{1} << 27,
     "memory of freed huge blocks kept for reuse until release_delay_ms has passed, at most: what "
     "fills the heap up to its recent size and a quarter more, or 16 MiB and a quarter of what is "
     "live"},
    {"huge_pages", &Options::huge_pages, OptionUnit::kFlag, OptionChange::kAnyTime, 1, 1,
     "1: ask for transparent huge pages, for blocks of 4 MiB and more and for small ones in large "
     "heaps, for nearly all where page faults take 5 us and more; 0: never ask"},
    {"populate", &Options::populate, OptionUnit::kFlag, OptionChange::kAnyTime, 1, 1,
     "1: fetch memory that a growing heap is about to use from the OS in batches, where the "
     "program "
     "writes what it takes; 0: leave that to page faults"},
    {"soft_limit", &Options::soft_limit, OptionUnit::kLimit, OptionChange::kAnyTime,
     uint64_t{1} << 20, uint64_t{1} << 47,
     "committed bytes beyond which free memory is returned at once; 0 = none"},
    {"hard_limit", &Options::hard_limit, OptionUnit::kLimit, OptionChange::kAnyTime,
     uint64_t{16} << 20, uint64_t{1} << 47,
     "committed bytes beyond which allocations fail with ENOMEM; 0 = none"},
    {"stats", &Options::stats, OptionUnit::kWord, OptionChange::kAnyTime, 0, 3,
     "what is printed at exit on what stderr was at the start: nothing (0), text for people (1), "
     "JSON, or Prometheus's text format",
     kStatsWords},
    {"zero_on_free", &Options::zero_on_free, OptionUnit::kFlag, OptionChange::kAtStart, 1, 1,
     "1: what is freed is overwritten with zeros, or unmapped; threads then have no caches "
     "(slower)"},
    {"quarantine_kib", &Options::quarantine_kib, OptionUnit::kKibibytes, OptionChange::kAtStart, 1,
     uint64_t{1} << 20,
     "freed blocks up to 32 KiB wait until so much was freed after them, and are checked for "
     "writes; threads then have no caches (slower); 0 = none"},
    {"deepbind", &Options::deepbind, OptionUnit::kFlag, OptionChange::kAnyTime, 1, 1,
     "0: with libcma.so dlopen takes no notice of RTLD_DEEPBIND, with which a library would use "
     "the "
     "C library's malloc; 1: it does"},
    {"strict", &Options::strict, OptionUnit::kFlag, OptionChange::kAtStart, 1, 1,
     "1: abort if CMA_OPTIONS holds anything that cma does not understand"},
};

// KiB of cache_budget_kib for each CPU: a thread that replaces blocks of 8 B to 4 KiB at random
// uses more than 256. Chosen by such threads, simulated on 64 and 128 cores.
inline constexpr uint64_t kBudgetPerCpuKib = 512;

// Makes those defaults larger that depend on the number of CPUs. Call it before ParseOptions().
inline void FitDefaults(size_t cpus, Options& options) {
  if (cpus * kBudgetPerCpuKib > options.cache_budget_kib) {
    options.cache_budget_kib = cpus * kBudgetPerCpuKib;
  }
}

// Parses `text` over `options`: first the profile, then the rest. An unknown or
// malformed option costs one line on stderr and keeps its default, or, with strict=1, ends the
// process after the last such line; "help" prints the table.
void ParseOptions(const char* text, Options& options);

// nullptr if there is no such option.
const OptionInfo* FindOption(const char* name, size_t length);

// Sets one option as ParseOptions() would, but reports to the caller.
enum class SetResult { kSet, kUnknownName, kBadValue, kFixedAtStart };
SetResult SetOption(const char* name, const char* value, Options& options);

extern Options g_options;

}  // namespace cma

#endif  // CMA_OPTIONS_OPTIONS_H_
