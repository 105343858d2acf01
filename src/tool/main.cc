// The `cma` command: finds the subcommand and hands it the rest of the command line.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
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

// A disk that is full, or no stdout at all. Looked for once, when all is printed.
int AfterOutput(int status) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return status;
  PrintError(absl::StrCat("cannot write to standard output",
                          errno != 0 ? absl::StrCat(": ", std::strerror(errno)) : ""));
  return status == kExitSuccess ? kExitFailure : status;
}

}  // namespace
}  // namespace cma::tool

int main(int argc, char** argv) {
  const auto words = static_cast<size_t>(argc > 0 ? argc - 1 : 0);
  return cma::tool::AfterOutput(cma::tool::Main({argv + 1, words}));
}
