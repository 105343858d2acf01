// The table of all subcommands.
#ifndef CMA_TOOL_COMMANDS_H_
#define CMA_TOOL_COMMANDS_H_

#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "tool/command.h"

namespace cma::tool {

// In the order in which `cma --help` lists them.
std::span<const Command* const> Commands();

// The command of that name; nullptr, after one message on stderr, if there is none.
const Command* FindCommand(absl::string_view name);

}  // namespace cma::tool

#endif  // CMA_TOOL_COMMANDS_H_
