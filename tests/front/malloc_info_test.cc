#include "front/malloc_info.h"

#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <stdlib.h>

#include <string>

#include <cma/cma.h>

#include "base/units.h"

namespace cma {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// What malloc_info writes to a stream.
std::string Info() {
  char* text = nullptr;
  size_t length = 0;
  FILE* const stream = open_memstream(&text, &length);
  EXPECT_EQ(MallocInfo(0, stream), 0);
  fclose(stream);
  std::string result(text, length);
  free(text);
  return result;
}

TEST(MallocInfoTest, TheTextIsOneElementWithTheFiguresInIt) {
  cma_free(cma_malloc(100));

  const std::string text = Info();

  EXPECT_THAT(text, StartsWith("<malloc version=\"cma-"));
  EXPECT_THAT(text, testing::EndsWith("</malloc>\n"));
  for (const char* name : {"mapped", "live", "cached", "slab_free", "free_runs", "free_superblocks",
                           "metadata", "dirty", "huge"}) {
    EXPECT_THAT(text, testing::ContainsRegex(std::string("<") + name + " size=\"[0-9]+\"/>"));
  }
}

TEST(MallocInfoTest, TheFiguresAreThoseOfTheStatistics) {
  void* const block = cma_malloc(5 * kMiB);
  cma_stats stats;
  cma_get_stats(&stats);

  const std::string text = Info();

  EXPECT_THAT(text, HasSubstr("<live size=\"" + std::to_string(stats.live_bytes) + "\"/>"));
  EXPECT_THAT(text, HasSubstr("<huge size=\"" + std::to_string(stats.huge_bytes) + "\"/>"));
  cma_free(block);
}

TEST(MallocInfoTest, OptionsAreRefused) {
  errno = 0;

  EXPECT_EQ(MallocInfo(1, stdout), -1);

  EXPECT_EQ(errno, EINVAL);
}

TEST(MallocInfoTest, AStreamThatTakesNothingIsAFailure) {
  FILE* const stream = fopen("/dev/null", "r");
  ASSERT_NE(stream, nullptr);

  EXPECT_EQ(MallocInfo(0, stream), -1);

  fclose(stream);
}

TEST(MallInfoTest, TheFieldsAddUp) {
  void* const small = cma_malloc(100);
  void* const huge = cma_malloc(8 * kMiB);

  const struct mallinfo2 info = MallInfo2();

  EXPECT_EQ(info.hblks, 1u);
  EXPECT_EQ(info.hblkhd, 8 * kMiB);
  EXPECT_GE(info.uordblks, 100u);
  EXPECT_LT(info.uordblks, 8 * kMiB);
  EXPECT_EQ(info.arena, info.uordblks + info.fordblks);
  EXPECT_GE(info.fordblks, info.fsmblks);
  cma_free(small);
  cma_free(huge);
}

TEST(MallInfoTest, TheNarrowFormSaysTheSame) {
  void* const block = cma_malloc(100);

  const struct mallinfo2 wide = MallInfo2();
  const struct mallinfo narrow = MallInfo();

  EXPECT_EQ(static_cast<size_t>(narrow.arena), wide.arena);
  EXPECT_EQ(static_cast<size_t>(narrow.uordblks), wide.uordblks);
  EXPECT_EQ(static_cast<size_t>(narrow.fordblks), wide.fordblks);
  cma_free(block);
}

TEST(MallInfoTest, TheNarrowFormIsCutOffWhereItWouldOverflow) {
  void* const block = cma_malloc(4 * kGiB);  // never touched
  if (block == nullptr) GTEST_SKIP() << "there are no 4 GiB of addresses";

  EXPECT_EQ(MallInfo().hblkhd, INT_MAX);
  EXPECT_LT(MallInfo().uordblks, INT_MAX);

  cma_free(block);
}

}  // namespace
}  // namespace cma
