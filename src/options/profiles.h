// Profiles: named sets of defaults.
#ifndef CMA_OPTIONS_PROFILES_H_
#define CMA_OPTIONS_PROFILES_H_

#include <cstdint>

#include "options/options.h"

namespace cma {

struct ProfileSetting {
  Profile profile;
  Setting Options::*field;
  uint64_t value;
};

// In what the profiles differ from `balanced`, whose values are those of Options.
inline constexpr ProfileSetting kProfileSettings[] = {
    // Memory goes back within a tenth of a second, and little of it waits anywhere meanwhile.
    {Profile::kLowMemory, &Options::release_delay_ms, 100},
    {Profile::kLowMemory, &Options::background_start_mib, 4},
    {Profile::kLowMemory, &Options::cache_budget_kib, 4096},
    {Profile::kLowMemory, &Options::depot_kib, 32},
    {Profile::kLowMemory, &Options::huge_cache_mib, 8},
    {Profile::kLowMemory, &Options::huge_pages, 0},
    {Profile::kLowMemory, &Options::populate, 0},
    // Memory is kept over pauses of seconds, and lists may grow on machines with many threads.
    {Profile::kThroughput, &Options::release_delay_ms, 5000},
    {Profile::kThroughput, &Options::cache_budget_kib, 262'144},
    {Profile::kThroughput, &Options::huge_cache_mib, 16384},
    // A stale pointer finds zeros or nothing, and a write through it is noticed.
    {Profile::kHardened, &Options::zero_on_free, 1},
    {Profile::kHardened, &Options::quarantine_kib, 1024},
};

inline constexpr const char* kProfileHelp[] = {
    "the defaults",
    "small caches, and memory returns to the OS soon",
    "large caches, and memory is kept for longer",
    "freed memory is zeroed, waits in quarantine and is checked; slower",
};

// Puts the profile's values in the place of the defaults.
inline void ApplyProfile(Profile profile, Options& options) {
  for (const ProfileSetting& setting : kProfileSettings) {
    if (setting.profile == profile) options.*setting.field = setting.value;
  }
}

}  // namespace cma

#endif  // CMA_OPTIONS_PROFILES_H_
