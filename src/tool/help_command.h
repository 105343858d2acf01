// `cma help [COMMAND]`, also reached as `cma --help` and `cma COMMAND --help`.
#ifndef CMA_TOOL_HELP_COMMAND_H_
#define CMA_TOOL_HELP_COMMAND_H_

#include "tool/command.h"

namespace cma::tool {

extern const Command kHelpCommand;

// Prints what `cma help NAME` prints.
int PrintHelp(const Command& command);

}  // namespace cma::tool

#endif  // CMA_TOOL_HELP_COMMAND_H_
