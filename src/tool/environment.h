// The two environment variables through which a preloaded program meets cma.
#ifndef CMA_TOOL_ENVIRONMENT_H_
#define CMA_TOOL_ENVIRONMENT_H_

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace cma::tool {

// LD_PRELOAD with `library` first and everything else that is in `existing` after it.
std::string PreloadList(absl::string_view library, absl::string_view existing);

// CMA_OPTIONS with `added` after `existing`: of two settings of one option the last one counts.
std::string OptionList(absl::string_view existing, std::span<const std::string> added);

// The variable's value, empty if it is not set.
absl::string_view EnvironmentValue(const char* name);

}  // namespace cma::tool

#endif  // CMA_TOOL_ENVIRONMENT_H_
