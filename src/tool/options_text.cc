#include "tool/options_text.h"

#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "options/option_value.h"
#include "options/profiles.h"
#include "report/text.h"

namespace cma::tool {
namespace {

std::string TextOf(const Text& text) { return std::string(text.data(), text.size()); }

std::string Range(const OptionInfo& option) {
  Text text;
  AddRange(text, option);
  return TextOf(text);
}

std::string Default(const OptionInfo& option) { return ValueText(option, Options().*option.field); }

const char* Change(const OptionInfo& option) {
  return option.change == OptionChange::kAnyTime ? "yes" : "no";
}

// "release_delay_ms=100, cache_budget_kib=4096"
std::string SettingsOf(size_t profile, const char* quote) {
  std::string text;
  for (const ProfileSetting& setting : kProfileSettings) {
    if (static_cast<size_t>(setting.profile) != profile) continue;
    for (const OptionInfo& option : kOptions) {
      if (option.field != setting.field) continue;
      absl::StrAppend(&text, text.empty() ? "" : ", ", quote, option.name, "=",
                      ValueText(option, setting.value), quote);
    }
  }
  return text;
}

// What mdoc would read as something else.
std::string Roff(absl::string_view text) {
  const std::string escaped = absl::StrReplaceAll(text, {{"\\", "\\e"}});
  return absl::StartsWith(escaped, ".") || absl::StartsWith(escaped, "'")
             ? absl::StrCat("\\&", escaped)
             : escaped;
}

constexpr char kManualStart[] = R"(.\" Written by cma options --man.
.Dd November 27, 2026
.Dt CMA-OPTIONS 7
.Os Linux
.Sh NAME
.Nm cma-options
.Nd settings of the cma memory allocator
.Sh SYNOPSIS
.Ev CMA_OPTIONS Ns = Ns Ar name Ns = Ns Ar value Ns Op , Ns Ar name Ns = Ns Ar value ...
.Ar program
.Sh DESCRIPTION
A process that has cma as its
.Xr malloc 3
reads the environment variable
.Ev CMA_OPTIONS
once, at its first allocation.
Of two settings of one option the last one counts; beyond that their order does not matter.
A name or a value that cma does not understand costs one line on standard error and changes nothing.
.Ql CMA_OPTIONS=help
prints what follows, for the library that is in use.
.Pp
A bare number has the unit that is in the name.
Sizes may have a suffix (k, m, g, t, KiB, MiB, GiB, TiB; powers of 1024, rounded up to the unit),
times too (ms, s, min, h).
Limits are in bytes, or a percentage of the memory that the process may use: that of its control
group, or the machine's.
.Pp
.Ql cma run --set Ar name Ns = Ns Ar value
sets one option for one program; see
.Xr cma 1 .
Those that say
.Dq at run time
can be changed by the program, with
.Fn cma_option_set ;
see
.Xr cma 3 .
.Sh OPTIONS
Each with its default.
.Bl -tag -width indent
)";

constexpr char kManualProfiles[] = R"(.El
.Sh PROFILES
What
.Cm profile
sets, of what is not given itself:
.Bl -tag -width indent
)";

constexpr char kManualEnd[] = R"(.El
.Sh EXAMPLES
Return free memory at once:
.Pp
.Dl CMA_OPTIONS=release_delay_ms=0 cma run -- ls
.Pp
Two arenas, and a summary at exit:
.Pp
.Dl cma run --set arenas=2 --stats -- ls
.Pp
Fail allocations before the container's memory is full:
.Pp
.Dl cma run --set hard_limit=90% --set soft_limit=75% -- ls
.Sh SEE ALSO
.Xr cma 1 ,
.Xr cma 3 ,
.Xr environ 7
.Sh CAVEATS
A set-user-ID program that has cma linked in ignores
.Ev CMA_OPTIONS .
)";

}  // namespace

std::string ValueText(const OptionInfo& option, uint64_t value) {
  Text text;
  AddValue(text, option, value);
  return TextOf(text);
}

std::string OptionsPlain() {
  std::string text;
  for (const OptionInfo& option : kOptions) {
    absl::StrAppendFormat(&text, "  %s=%s\n      %s\n      values: %s\n", option.name,
                          Default(option), option.help, Range(option));
  }
  for (size_t i = 1; i < std::size(kProfileWords); ++i) {
    absl::StrAppendFormat(&text, "  profile=%s\n      %s: %s\n", kProfileWords[i], kProfileHelp[i],
                          SettingsOf(i, ""));
  }
  return text;
}

std::string OptionsMarkdown() {
  std::string text =
      "| name | default | values | at run time | meaning |\n|---|---:|---|---|---|\n";
  for (const OptionInfo& option : kOptions) {
    absl::StrAppendFormat(&text, "| `%s` | %s | %s | %s | %s |\n", option.name, Default(option),
                          Range(option), Change(option), option.help);
  }
  absl::StrAppend(&text, "\n| profile | | sets |\n|---|---|---|\n");
  for (size_t i = 0; i < std::size(kProfileWords); ++i) {
    absl::StrAppendFormat(&text, "| `%s` | %s | %s |\n", kProfileWords[i], kProfileHelp[i],
                          i == 0 ? "nothing" : SettingsOf(i, "`"));
  }
  return text;
}

std::string OptionsManual() {
  std::string text = kManualStart;
  for (const OptionInfo& option : kOptions) {
    absl::StrAppendFormat(&text, ".It Cm %s Ns = Ns %s\n%s.\nValues: %s.\n", option.name,
                          Roff(Default(option)), Roff(option.help), Roff(Range(option)));
    if (option.change == OptionChange::kAnyTime) absl::StrAppend(&text, "At run time.\n");
  }
  absl::StrAppend(&text, kManualProfiles);
  for (size_t i = 0; i < std::size(kProfileWords); ++i) {
    absl::StrAppendFormat(&text, ".It Cm %s\n%s%s%s.\n", kProfileWords[i], Roff(kProfileHelp[i]),
                          i == 0 ? "" : ": ", Roff(SettingsOf(i, "")));
  }
  return absl::StrCat(text, kManualEnd);
}

}  // namespace cma::tool
