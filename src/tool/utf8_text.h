// Text of others, such as the arguments of a program, in files that have to be UTF-8.
#ifndef CMA_TOOL_UTF8_TEXT_H_
#define CMA_TOOL_UTF8_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cma::tool {

// The same text, with each byte that is not part of a character in UTF-8 as "\xNN".
std::string Utf8Text(absl::string_view bytes);

}  // namespace cma::tool

#endif  // CMA_TOOL_UTF8_TEXT_H_
