// What a mistyped word was probably meant to be.
#ifndef CMA_TOOL_NEAREST_MATCH_H_
#define CMA_TOOL_NEAREST_MATCH_H_

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace cma::tool {

// "; did you mean 'run'?", or nothing if no candidate is close enough to be a typing mistake.
std::string DidYouMean(absl::string_view word, std::span<const absl::string_view> candidates);

}  // namespace cma::tool

#endif  // CMA_TOOL_NEAREST_MATCH_H_
