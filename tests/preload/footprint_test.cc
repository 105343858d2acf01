// How much of libcma.so is memory of a small program's.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "preload/cma_in_use.h"

namespace {

using namespace cma_test;

// KiB of libcma.so's code that are in memory for this process; -1 if /proc does not say.
int CodeKib() {
  std::ifstream maps("/proc/self/smaps");
  bool in_code = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("-xp ") != std::string::npos) {
      in_code = line.find("/libcma.so") != std::string::npos;
    }
    if (in_code && line.rfind("Rss:", 0) == 0) return std::stoi(line.substr(4));
  }
  return -1;
}

// The linker's order of functions, and what the start and the hit path call, keep it to one piece
// that the kernel maps at once.
TEST(FootprintTest, ASmallProgramRunsOnePieceOfTheCode) {
  SKIP_WITHOUT_CMA();
  const char* const is_laid_out = getenv("CMA_IS_LAID_OUT");
  if (is_laid_out == nullptr || std::string(is_laid_out) != "1") GTEST_SKIP() << "another build";
  if (sysconf(_SC_PAGESIZE) != 4096) GTEST_SKIP() << "pages of another size";
  std::vector<void*> blocks;
  for (size_t size = 1; size <= 50000; size += size / 2 + 1) {
    blocks.push_back(malloc(size));
    blocks.push_back(calloc(1, size));
    blocks.push_back(realloc(malloc(size), 2 * size));
  }
  for (void* block : blocks) free(block);

  EXPECT_LE(CodeKib(), 64);
  EXPECT_GE(CodeKib(), 4);
}

}  // namespace
