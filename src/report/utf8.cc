#include "report/utf8.h"

#include <cstdint>

namespace cma {
namespace {

// Bytes of the character that begins with this one; 0 if none does.
size_t BytesFrom(uint8_t lead) {
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

}  // namespace

size_t CharacterBytes(const char* text, size_t length) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text);
  const size_t count = BytesFrom(bytes[0]);
  if (count > length) return 0;
  for (size_t i = 1; i < count; ++i) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  }
  return count < 2 || CanFollow(bytes[0], bytes[1]) ? count : 0;
}

}  // namespace cma
