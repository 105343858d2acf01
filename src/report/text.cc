#include "report/text.h"

#include <string.h>

#include "os/os_output.h"
#include "report/utf8.h"

namespace cma {

void Text::AddChar(char c) {
  if (size_ < sizeof buffer_) buffer_[size_++] = c;
}

Text& Text::Add(const char* text) {
  for (; *text != '\0'; ++text) AddChar(*text);
  return *this;
}

Text& Text::AddNumber(uint64_t value) { return AddPadded(value, 1); }

Text& Text::AddPadded(uint64_t value, int width) {
  char digits[20];
  int n = 0;
  do {
    digits[n++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  for (int i = n; i < width; ++i) AddChar(' ');
  while (n > 0) AddChar(digits[--n]);
  return *this;
}

Text& Text::AddHex(uint64_t value) {
  Add("0x");
  int shift = 60;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) AddChar("0123456789abcdef"[(value >> shift) & 15]);
  return *this;
}

void Text::AddEscapedChar(char c) {
  const auto code = static_cast<unsigned char>(c);
  if (c == '\n') {
    Add("\\n");
    return;
  }
  if (c == '\\' || c == '"') AddChar('\\');
  AddChar(code < ' ' || code == 0x7f ? '?' : c);
}

Text& Text::AddEscaped(const char* text) {
  for (size_t left = strlen(text); left != 0;) {
    const size_t bytes = CharacterBytes(text, left);
    if (bytes < 2) AddEscapedChar(bytes == 0 ? '?' : *text);
    for (size_t i = 0; bytes > 1 && i < bytes; ++i) AddChar(text[i]);
    const size_t done = bytes == 0 ? 1 : bytes;
    text += done;
    left -= done;
  }
  return *this;
}

void Text::WriteTo(int fd) {
  OsWrite(fd, buffer_, size_);
  size_ = 0;
}

}  // namespace cma
