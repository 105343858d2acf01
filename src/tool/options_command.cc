#include "tool/options_command.h"

#include <cstdio>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "tool/exit_status.h"
#include "tool/nearest_match.h"
#include "tool/options_text.h"

namespace cma::tool {
namespace {

constexpr absl::string_view kForms[] = {"--markdown", "--man"};

std::string Help() {
  return "usage: cma options [--markdown | --man]\n"
         "\n"
         "Lists what CMA_OPTIONS=name=value,... takes: as text, as the tables of the README, or "
         "as\n"
         "the manual page cma-options(7).\n";
}

int Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return kExitSuccess;
}

int Run(Arguments arguments) {
  if (arguments.empty()) return Print(OptionsPlain());
  const absl::string_view form = arguments.front();
  if (arguments.size() == 1 && form == "--markdown") return Print(OptionsMarkdown());
  if (arguments.size() == 1 && form == "--man") return Print(OptionsManual());
  const bool is_known = absl::c_linear_search(kForms, form) && arguments.size() > 1;
  PrintError(absl::StrCat("cma options: unexpected '", is_known ? arguments[1] : form, "'",
                          is_known ? "" : DidYouMean(form, kForms),
                          " ('cma help options' says more)"));
  return kExitUsage;
}

}  // namespace

constexpr Command kOptionsCommand = {"options", "list what CMA_OPTIONS takes", &Help, &Run};

}  // namespace cma::tool
