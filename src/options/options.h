// Settings, read once from CMA_OPTIONS=name=value,name=value… at the first allocation.
//
// Ownership: one process-wide object, written by ReadOptions() under the start-up lock and
// only read afterwards.
#ifndef CMA_OPTIONS_OPTIONS_H_
#define CMA_OPTIONS_OPTIONS_H_

#include <cstddef>
#include <cstdint>

namespace cma {

struct Options {
  uint64_t release_delay_ms = 500;
  uint64_t background_thread = 1;
  uint64_t background_start_mib = 8;
  uint64_t madv_free = 0;
  uint64_t arenas = 0;
  uint64_t cache_budget_kib = 32768;
  uint64_t huge_cache_mib = 256;
  uint64_t huge_pages = 1;
  uint64_t stats = 0;
};

// One line per option: the parser, the help text and the README's table come from it.
struct OptionInfo {
  const char* name;
  uint64_t Options::*field;
  const char* help;
};

inline constexpr OptionInfo kOptions[] = {
    {"release_delay_ms", &Options::release_delay_ms,
     "free memory returns to the OS once it was unused for half to all of this time; 0 = at once"},
    {"background_thread", &Options::background_thread,
     "1: a thread returns memory while the program is idle; 0: only the program's own calls do"},
    {"background_start_mib", &Options::background_start_mib,
     "heap size from which the background thread is worth having"},
    {"madv_free", &Options::madv_free,
     "1: return memory with MADV_FREE (cheaper, but RSS does not show it); 0: MADV_DONTNEED"},
    {"arenas", &Options::arenas,
     "number of arenas; 0 = one per usable CPU, and one while only one thread allocates"},
    {"cache_budget_kib", &Options::cache_budget_kib,
     "what all thread caches together may hold in lists that have grown"},
    {"huge_cache_mib", &Options::huge_cache_mib,
     "freed huge blocks kept mapped for reuse until release_delay_ms has passed"},
    {"huge_pages", &Options::huge_pages,
     "1: ask for transparent huge pages for blocks of 4 MiB and more; 0: never ask"},
    {"stats", &Options::stats, "1: print a summary on stderr at exit"},
};

// Parses `text` (may be null) over `options`. An unknown or malformed option costs one line on
// stderr and keeps its default; "help" prints the table.
void ParseOptions(const char* text, Options& options);

extern Options g_options;

}  // namespace cma

#endif  // CMA_OPTIONS_OPTIONS_H_
