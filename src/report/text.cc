#include "report/text.h"

#include "os/os_output.h"

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

Text& Text::AddEscaped(const char* text) {
  for (; *text != '\0'; ++text) {
    const auto c = static_cast<unsigned char>(*text);
    if (c == '\\' || c == '"') {
      AddChar('\\');
      AddChar(*text);
    } else if (c == '\n') {
      Add("\\n");
    } else {
      AddChar(c < ' ' || c == 0x7f ? '?' : *text);
    }
  }
  return *this;
}

void Text::WriteTo(int fd) {
  OsWrite(fd, buffer_, size_);
  size_ = 0;
}

}  // namespace cma
