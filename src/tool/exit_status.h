// What the tool ends with, and the one form of its messages.
#ifndef CMA_TOOL_EXIT_STATUS_H_
#define CMA_TOOL_EXIT_STATUS_H_

#include "absl/strings/string_view.h"

namespace cma::tool {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as in shells

// `cma run` ends with the program's own status; these three are the ones that env(1), nohup(1)
// and timeout(1) use when there is no such status.
inline constexpr int kExitRunFailed = 125;      // the mistake is in cma's own arguments or set-up
inline constexpr int kExitNotExecutable = 126;  // the program was found but cannot be executed
inline constexpr int kExitNotFound = 127;

// One line on stderr: "cma: <message>".
void PrintError(absl::string_view message);

}  // namespace cma::tool

#endif  // CMA_TOOL_EXIT_STATUS_H_
