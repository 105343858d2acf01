// Reading the kernel's small text files: no allocation, no stdio; errno is kept.
#ifndef CMA_OS_SMALL_FILE_H_
#define CMA_OS_SMALL_FILE_H_

#include <cstddef>

namespace cma {

// Reads the start of a file into `buffer` as a string; its length, 0 if it cannot be read.
size_t ReadSmallFile(const char* path, char* buffer, size_t capacity);

// A decimal number at *text, which is moved behind it; -1 if there is none.
long ParseNumber(const char** text);

}  // namespace cma

#endif  // CMA_OS_SMALL_FILE_H_
