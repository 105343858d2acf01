// One subcommand of `cma`: its name, what its help says and what it does.
#ifndef CMA_TOOL_COMMAND_H_
#define CMA_TOOL_COMMAND_H_

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace cma::tool {

// What follows the command's name; like argv, the array behind it ends with a null pointer.
using Arguments = std::span<char* const>;

struct Command {
  absl::string_view name;
  absl::string_view summary;        // one line of `cma --help`
  std::string (*help)();            // the text of `cma help NAME`
  int (*run)(Arguments arguments);  // returns the exit status of the tool
};

}  // namespace cma::tool

#endif  // CMA_TOOL_COMMAND_H_
