#include "tool/utf8_text.h"

#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "report/utf8.h"

namespace cma::tool {

std::string Utf8Text(absl::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = CharacterBytes(bytes.data(), bytes.size());
    const absl::string_view next = bytes.substr(0, length == 0 ? 1 : length);
    absl::StrAppend(&text, length == 0 ? absl::CHexEscape(next) : std::string(next));
    bytes.remove_prefix(next.size());
  }
  return text;
}

}  // namespace cma::tool
