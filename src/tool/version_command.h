// `cma version`, also reached as `cma --version`.
#ifndef CMA_TOOL_VERSION_COMMAND_H_
#define CMA_TOOL_VERSION_COMMAND_H_

#include "tool/command.h"

namespace cma::tool {

extern const Command kVersionCommand;

}  // namespace cma::tool

#endif  // CMA_TOOL_VERSION_COMMAND_H_
