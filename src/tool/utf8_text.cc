#include "tool/utf8_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace cma::tool {
namespace {

uint8_t ByteAt(absl::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

// Bytes of the character that begins with this one; 0 if none does.
size_t LengthFrom(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// False for a character in more bytes than it takes, a surrogate, and what lies beyond U+10FFFF.
bool CanFollow(uint8_t lead, uint8_t second) {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second < 0xa0;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second < 0x90;
    default:
      return true;
  }
}

// Bytes of the character at the start of `text`; 0 if there is none.
size_t CharacterLength(absl::string_view text) {
  const size_t length = LengthFrom(ByteAt(text, 0));
  if (length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((ByteAt(text, i) & 0xc0) != 0x80) return 0;
  }
  return length < 2 || CanFollow(ByteAt(text, 0), ByteAt(text, 1)) ? length : 0;
}

}  // namespace

std::string Utf8Text(absl::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const size_t length = CharacterLength(bytes);
    const absl::string_view next = bytes.substr(0, length == 0 ? 1 : length);
    absl::StrAppend(&text, length == 0 ? absl::CHexEscape(next) : std::string(next));
    bytes.remove_prefix(next.size());
  }
  return text;
}

}  // namespace cma::tool
