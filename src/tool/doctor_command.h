// `cma doctor`: does a program or a process really have cma as its malloc?
#ifndef CMA_TOOL_DOCTOR_COMMAND_H_
#define CMA_TOOL_DOCTOR_COMMAND_H_

#include "tool/command.h"

namespace cma::tool {

extern const Command kDoctorCommand;

}  // namespace cma::tool

#endif  // CMA_TOOL_DOCTOR_COMMAND_H_
