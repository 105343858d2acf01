// What code writes to a descriptor, read back through a pipe.
#ifndef CMA_TESTS_SUPPORT_CAPTURED_TEXT_H_
#define CMA_TESTS_SUPPORT_CAPTURED_TEXT_H_

#include <unistd.h>

#include <string>

namespace cma_test {

// Calls write(fd) and returns what it wrote there: not more than a pipe holds, 64 KiB.
template <typename F>
std::string TextWrittenBy(F write) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  write(ends[1]);
  close(ends[1]);
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t n = read(ends[0], part, sizeof part);
    if (n <= 0) break;
    text.append(part, static_cast<size_t>(n));
  }
  close(ends[0]);
  return text;
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_CAPTURED_TEXT_H_
