// Which bytes are characters in UTF-8.
#ifndef CMA_REPORT_UTF8_H_
#define CMA_REPORT_UTF8_H_

#include <cstddef>

namespace cma {

// Bytes of the character that `text` begins with; 0 if none does.
// REQUIRES: length > 0.
size_t CharacterBytes(const char* text, size_t length);

}  // namespace cma

#endif  // CMA_REPORT_UTF8_H_
