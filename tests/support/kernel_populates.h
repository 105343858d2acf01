// Whether the kernel can fetch memory ahead.
#ifndef CMA_TESTS_SUPPORT_KERNEL_POPULATES_H_
#define CMA_TESTS_SUPPORT_KERNEL_POPULATES_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace cma_test {

// Whether it knows MADV_POPULATE_WRITE: Linux from 5.14 on.
inline bool KernelPopulates() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const start =
      mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool populates = madvise(start, page, MADV_POPULATE_WRITE) == 0;
  munmap(start, page);
  return populates;
}
#define SKIP_WITHOUT_POPULATE() \
  if (!cma_test::KernelPopulates()) GTEST_SKIP() << "this kernel populates nothing"

}  // namespace cma_test

#endif  // CMA_TESTS_SUPPORT_KERNEL_POPULATES_H_
