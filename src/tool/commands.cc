#include "tool/commands.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "tool/bench_command.h"
#include "tool/doctor_command.h"
#include "tool/exit_status.h"
#include "tool/help_command.h"
#include "tool/nearest_match.h"
#include "tool/options_command.h"
#include "tool/run_command.h"
#include "tool/version_command.h"

namespace cma::tool {
namespace {

// A new command is one line here.
constexpr const Command* kCommands[] = {
    &kRunCommand,
    &kDoctorCommand,
    &kBenchCommand,
    &kOptionsCommand,
    &kHelpCommand,
    &kVersionCommand,
};

std::vector<absl::string_view> Names() {
  std::vector<absl::string_view> names;
  for (const Command* command : kCommands) names.push_back(command->name);
  return names;
}

}  // namespace

std::span<const Command* const> Commands() { return kCommands; }

const Command* FindCommand(absl::string_view name) {
  for (const Command* command : kCommands) {
    if (command->name == name) return command;
  }
  PrintError(absl::StrCat("unknown command '", name, "'", DidYouMean(name, Names()),
                          " ('cma --help' lists all)"));
  return nullptr;
}

}  // namespace cma::tool
