#include "tool/options_text.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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

// What troff would read as something else.
std::string Roff(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}});
}

constexpr char kManualStart[] =
    ".TH CMA\\-OPTIONS 7 \"\" \"cma %s\" \"Miscellaneous\"\n"
    ".SH NAME\n"
    "cma\\-options \\- settings of the cma memory allocator\n"
    ".SH SYNOPSIS\n"
    "\\fBCMA_OPTIONS=\\fINAME\\fB=\\fIVALUE\\fB,\\fINAME\\fB=\\fIVALUE\\fR...\n"
    ".SH DESCRIPTION\n"
    "The environment variable is read once, at the first allocation, and ignored in\n"
    "set\\-user\\-ID programs. A name or value that cma does not understand costs one line on\n"
    "standard error and changes nothing. Options marked \\(dqat run time\\(dq can be changed by\n"
    ".BR cma_option_set ()\n"
    "as well.\n"
    ".PP\n"
    "A bare number has the unit that is in the name. Sizes may have a suffix (k, m, g, t, KiB,\n"
    "MiB, GiB, TiB; powers of 1024), times too (ms, s, min, h). Limits are in bytes, or a\n"
    "percentage of the memory that the process may use: its control group's limit, or the\n"
    "machine's memory.\n"
    ".SH OPTIONS\n";

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
  std::string text = absl::StrFormat(kManualStart, CMA_VERSION);
  for (const OptionInfo& option : kOptions) {
    absl::StrAppendFormat(&text, ".TP\n.BR %s =%s\n%s. Values: %s.%s\n", option.name,
                          Roff(Default(option)), Roff(option.help), Roff(Range(option)),
                          option.change == OptionChange::kAnyTime ? " At run time." : "");
  }
  absl::StrAppend(&text, ".SH PROFILES\n");
  for (size_t i = 0; i < std::size(kProfileWords); ++i) {
    absl::StrAppendFormat(&text, ".TP\n.B %s\n%s%s%s.\n", kProfileWords[i], Roff(kProfileHelp[i]),
                          i == 0 ? "" : ": ", Roff(SettingsOf(i, "")));
  }
  return absl::StrCat(text, ".SH SEE ALSO\n.BR cma (1)\n");
}

}  // namespace cma::tool
