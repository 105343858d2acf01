// `cma options`: the table of options, in one of three forms.
#ifndef CMA_TOOL_OPTIONS_COMMAND_H_
#define CMA_TOOL_OPTIONS_COMMAND_H_

#include "tool/command.h"

namespace cma::tool {

extern const Command kOptionsCommand;

}  // namespace cma::tool

#endif  // CMA_TOOL_OPTIONS_COMMAND_H_
