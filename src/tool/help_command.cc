#include "tool/help_command.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tool/commands.h"
#include "tool/exit_status.h"

namespace cma::tool {
namespace {

std::string Overview() {
  std::string text =
      "cma: run programs with the cma memory allocator\n\nusage: cma COMMAND ...\n\n";
  for (const Command* command : Commands()) {
    absl::StrAppendFormat(&text, "  %-9s %s\n", command->name, command->summary);
  }
  return absl::StrCat(text, "\n'cma help COMMAND' says more about one of them.\n");
}

std::string Help() {
  return "usage: cma help [COMMAND]\n\nLists the commands, or says what one of them does.\n";
}

int Run(Arguments arguments) {
  if (arguments.empty()) {
    std::fputs(Overview().c_str(), stdout);
    return kExitSuccess;
  }
  if (arguments.size() > 1) {
    PrintError(absl::StrCat("cma help: unexpected '", arguments[1], "'"));
    return kExitUsage;
  }
  const Command* command = FindCommand(arguments.front());
  return command != nullptr ? PrintHelp(*command) : kExitUsage;
}

}  // namespace

constexpr Command kHelpCommand = {"help", "say what a command does", &Help, &Run};

int PrintHelp(const Command& command) {
  std::fputs(command.help().c_str(), stdout);
  return kExitSuccess;
}

}  // namespace cma::tool
