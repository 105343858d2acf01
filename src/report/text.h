// Text in a fixed buffer, for messages from inside the allocator: no allocation, no locale.
#ifndef CMA_REPORT_TEXT_H_
#define CMA_REPORT_TEXT_H_

#include <cstddef>
#include <cstdint>

namespace cma {

class Text {
 public:
  Text& Add(const char* text);
  Text& AddNumber(uint64_t value);          // decimal
  Text& AddHex(uint64_t value);             // 0x...
  Text& AddPadded(uint64_t value, int width);  // decimal, right-aligned
  // With what JSON and Prometheus do not take in a quoted string escaped or replaced by a question
  // mark: other control characters, and bytes that are no UTF-8.
  Text& AddEscaped(const char* text);
  void Clear() { size_ = 0; }
  // Writes what was added to the descriptor and forgets it.
  void WriteTo(int fd);

  const char* data() const { return buffer_; }
  size_t size() const { return size_; }

 private:
  void AddChar(char c);
  void AddEscapedChar(char c);

  char buffer_[1024];  // what does not fit is cut off
  size_t size_ = 0;
};

}  // namespace cma

#endif  // CMA_REPORT_TEXT_H_
