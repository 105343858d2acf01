// `cma run`: replaces itself by a program that has cma as its malloc.
#ifndef CMA_TOOL_RUN_COMMAND_H_
#define CMA_TOOL_RUN_COMMAND_H_

#include "tool/command.h"

namespace cma::tool {

extern const Command kRunCommand;

}  // namespace cma::tool

#endif  // CMA_TOOL_RUN_COMMAND_H_
