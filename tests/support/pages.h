// Which pages the kernel holds memory for, seen without touching them.
#ifndef CMA_TESTS_SUPPORT_PAGES_H_
#define CMA_TESTS_SUPPORT_PAGES_H_

#include <sys/mman.h>

#include <cstddef>
#include <vector>

#include "os/os_memory.h"
#include "support/kernel_populates.h"

namespace cma_test {

// One entry for each page of the range, which is whole pages: whether it holds memory. Empty if
// part of the range is not mapped.
inline std::vector<bool> PagesWithMemory(const void* start, size_t bytes) {
  std::vector<unsigned char> states(bytes / cma::OsPageBytes());
  if (mincore(const_cast<void*>(start), bytes, states.data()) != 0) return {};
  std::vector<bool> pages;
  for (const unsigned char state : states) pages.push_back((state & 1) != 0);
  return pages;
}

inline size_t CountPagesWithMemory(const void* start, size_t bytes) {
  size_t count = 0;
  for (const bool page : PagesWithMemory(start, bytes)) count += page ? 1 : 0;
  return count;
}

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_PAGES_H_
