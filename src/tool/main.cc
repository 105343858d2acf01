// The `cma` command: finds the subcommand and hands it the rest of the command line.
#include "absl/strings/string_view.h"
#include "tool/command.h"
#include "tool/commands.h"
#include "tool/exit_status.h"
#include "tool/help_command.h"
#include "tool/version_command.h"

namespace cma::tool {
namespace {

bool AsksForHelp(absl::string_view word) { return word == "--help" || word == "-h"; }

const Command* Choose(absl::string_view word) {
  if (AsksForHelp(word)) return &kHelpCommand;
  if (word == "--version") return &kVersionCommand;
  return FindCommand(word);
}

int Main(Arguments words) {
  if (words.empty()) {
    kHelpCommand.run(words);
    return kExitUsage;
  }
  const Command* command = Choose(words.front());
  if (command == nullptr) return kExitUsage;
  const Arguments arguments = words.subspan(1);
  if (!arguments.empty() && AsksForHelp(arguments.front())) return PrintHelp(*command);
  return command->run(arguments);
}

}  // namespace
}  // namespace cma::tool

int main(int argc, char** argv) {
  const auto words = static_cast<size_t>(argc > 0 ? argc - 1 : 0);
  return cma::tool::Main({argv + 1, words});
}
