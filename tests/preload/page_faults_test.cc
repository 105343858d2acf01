// How many page faults a program has that fills its heap.
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "preload/cma_in_use.h"
#include "support/kernel_populates.h"

namespace {

using namespace cma_test;

// Of this thread, in user mode: what getrusage() counts includes pages that were populated.
class PageFaults {
 public:
  PageFaults() {
    perf_event_attr attributes = {};
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
    attributes.exclude_kernel = 1;
    fd_ = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
  }
  ~PageFaults() { close(fd_); }

  bool AreCounted() const { return fd_ >= 0; }

  double Count() const {
    uint64_t count = 0;
    EXPECT_EQ(read(fd_, &count, sizeof count), ssize_t{sizeof count});
    return static_cast<double>(count);
  }

 private:
  int fd_;
};

// As a share of the pages of 64 MiB of such blocks, which are written.
double FaultsPerPage(const PageFaults& faults, size_t block_bytes) {
  constexpr size_t kBytes = size_t{64} << 20;
  std::vector<void*> blocks(kBytes / block_bytes);
  const double before = faults.Count();
  for (void*& block : blocks) {
    block = malloc(block_bytes);
    memset(block, 1, block_bytes);
  }
  const double after = faults.Count();
  for (void* block : blocks) free(block);
  return (after - before) /
         static_cast<double>(kBytes / static_cast<size_t>(sysconf(_SC_PAGESIZE)));
}

TEST(PageFaultsTest, AGrowingHeapHasFewOfThem) {
  SKIP_WITHOUT_CMA();
  SKIP_WITHOUT_POPULATE();
  const PageFaults faults;
  if (!faults.AreCounted()) GTEST_SKIP() << "page faults cannot be counted here";

  EXPECT_LT(FaultsPerPage(faults, 100), 0.25);
  EXPECT_LT(FaultsPerPage(faults, 3000), 0.25);
  EXPECT_LT(FaultsPerPage(faults, 12'000), 0.25);
  EXPECT_LT(FaultsPerPage(faults, 100'000), 0.25);
}

}  // namespace
