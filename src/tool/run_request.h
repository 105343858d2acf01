// The command line of `cma run`, taken apart.
#ifndef CMA_TOOL_RUN_REQUEST_H_
#define CMA_TOOL_RUN_REQUEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tool/command.h"

namespace cma::tool {

struct RunRequest {
  std::string library;                // --lib; empty: the one that belongs to this tool
  std::vector<std::string> settings;  // --set and --stats, as name=value
  char* const* program = nullptr;     // argv of the program, ends with a null pointer
};

// InvalidArgument, with a message for the user, if the command line is not of the form that
// `cma help run` shows.
absl::StatusOr<RunRequest> ParseRunRequest(Arguments arguments);

}  // namespace cma::tool

#endif  // CMA_TOOL_RUN_REQUEST_H_
