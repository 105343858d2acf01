// mallinfo, mallinfo2, malloc_info, malloc_stats and mallopt: the figures are true.
//
// cma-test: plain
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include "preload/cma_in_use.h"
#include "support/interesting_sizes.h"

namespace {

using namespace cma_test;

// Blocks of `size`, in a list through their first words; returns their usable bytes.
size_t AllocateList(void*& list, size_t count, size_t size) {
  size_t usable = 0;
  for (size_t i = 0; i < count; ++i) {
    void* const block = malloc(size);
    memcpy(block, &list, sizeof(list));
    list = block;
    usable += malloc_usable_size(block);
  }
  return usable;
}

void FreeList(void* list) {
  while (list != nullptr) {
    void* const block = list;
    memcpy(&list, block, sizeof(list));
    free(block);
  }
}

TEST(Mallinfo2Test, UordblksGrowsByWhatWasAllocatedAndShrinksAgain) {
  SKIP_WITHOUT_CMA();
  free(malloc(64 * kMiB));  // starts the thread that returns memory, which has a block too
  for (const size_t size : {16, 100, 1024, 5000, 40000}) {
    void* list = nullptr;
    const struct mallinfo2 before = mallinfo2();

    const size_t usable = AllocateList(list, 1000, size);
    const struct mallinfo2 with_blocks = mallinfo2();
    FreeList(list);
    const struct mallinfo2 after = mallinfo2();

    EXPECT_EQ(with_blocks.uordblks - before.uordblks, usable) << size << " bytes";
    EXPECT_EQ(after.uordblks, before.uordblks) << size << " bytes";
  }
}

TEST(Mallinfo2Test, HugeBlocksAreCountedAlone) {
  const struct mallinfo2 before = mallinfo2();

  void* const block = malloc(64 * kMiB);
  const struct mallinfo2 with_block = mallinfo2();
  free(block);

  EXPECT_EQ(with_block.hblks, before.hblks + 1);
  EXPECT_GE(with_block.hblkhd, before.hblkhd + 64 * kMiB);
  EXPECT_LE(with_block.hblkhd, before.hblkhd + 65 * kMiB);
  EXPECT_LE(with_block.uordblks, before.uordblks + kMiB);
  EXPECT_EQ(mallinfo2().hblks, before.hblks);
}

TEST(Mallinfo2Test, AgreesWithCmasOwnFigures) {
  SKIP_WITHOUT_CMA();
  const cma_stats stats = CmaStats();
  const struct mallinfo2 info = mallinfo2();

  EXPECT_EQ(info.uordblks, stats.live_bytes - stats.huge_bytes);
  EXPECT_EQ(info.fordblks, stats.thread_cached_bytes + stats.slab_free_bytes +
                               stats.free_run_bytes + stats.free_superblock_bytes);
  EXPECT_EQ(info.hblks, stats.huge_blocks);
  EXPECT_EQ(info.hblkhd, stats.huge_bytes);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
TEST(MallinfoTest, GivesTheFiguresAsInts) {
  const struct mallinfo2 wide = mallinfo2();
  const struct mallinfo info = mallinfo();

  EXPECT_EQ(static_cast<size_t>(info.uordblks), wide.uordblks);
  EXPECT_EQ(static_cast<size_t>(info.hblkhd), wide.hblkhd);
}

TEST(MallinfoTest, FiguresThatDoNotFitAreNotNegative) {
  SKIP_WITHOUT_CMA();
  void* const block = malloc(3 * kGiB);
  ASSERT_NE(block, nullptr);

  const struct mallinfo info = mallinfo();

  EXPECT_GT(info.hblkhd, 0);
  EXPECT_GT(info.uordblks, 0);
  free(block);
}
#pragma GCC diagnostic pop

std::string MallocInfoText() {
  char* text = nullptr;
  size_t length = 0;
  FILE* const stream = open_memstream(&text, &length);
  EXPECT_EQ(malloc_info(0, stream), 0);
  fclose(stream);
  const std::string result(text, length);
  free(text);
  return result;
}

// Takes a tag apart: "<a b="c"/>" is the name a, closed at once.
struct Tag {
  std::string name;
  bool closes = false;          // </a>
  bool closed_at_once = false;  // <a/>
  bool well_formed = false;
};

Tag ParseTag(const std::string& text) {  // what is between < and >
  Tag tag;
  size_t i = 0;
  if (i < text.size() && text[i] == '/') tag.closes = true, ++i;
  while (i < text.size() && (isalnum(text[i]) || text[i] == '_')) tag.name += text[i++];
  for (;;) {  // attributes
    while (i < text.size() && text[i] == ' ') ++i;
    if (i == text.size()) break;
    if (text[i] == '/' && i + 1 == text.size()) {
      tag.closed_at_once = true;
      break;
    }
    const size_t quote = text.find("=\"", i);
    const size_t end = quote == std::string::npos ? quote : text.find('"', quote + 2);
    if (end == std::string::npos) return tag;
    i = end + 1;
  }
  tag.well_formed = !tag.name.empty();
  return tag;
}

// Empty if `text` is one well-formed element, else what is wrong.
std::string FindXmlFault(const std::string& text) {
  std::vector<std::string> open;
  size_t elements = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '<') {
      if (open.empty() && !isspace(text[i])) return "text outside of the element";
      ++i;
      continue;
    }
    const size_t end = text.find('>', i);
    if (end == std::string::npos) return "a tag without end";
    const Tag tag = ParseTag(text.substr(i + 1, end - i - 1));
    if (!tag.well_formed) return "bad tag " + text.substr(i, end - i + 1);
    if (tag.closes) {
      if (open.empty() || open.back() != tag.name) return "unexpected </" + tag.name + ">";
      open.pop_back();
    } else {
      if (open.empty() && elements > 0) return "more than one element";
      ++elements;
      if (!tag.closed_at_once) open.push_back(tag.name);
    }
    i = end + 1;
  }
  if (!open.empty()) return "<" + open.back() + "> is not closed";
  return elements == 0 ? "no element" : "";
}

TEST(MallocInfoTest, WritesWellFormedXml) {
  const std::string text = MallocInfoText();

  EXPECT_EQ(FindXmlFault(text), "") << text;
  EXPECT_EQ(text.rfind("<malloc version=", 0), 0u) << text;
}

TEST(MallocInfoTest, FollowsWhatIsAllocated) {
  SKIP_WITHOUT_CMA();
  const std::string before = MallocInfoText();
  void* const block = malloc(40 * kMiB);
  const std::string with_block = MallocInfoText();
  free(block);

  const auto huge = [](const std::string& text) {
    const size_t at = text.find("<huge size=\"");
    return at == std::string::npos ? 0 : strtoull(text.c_str() + at + 12, nullptr, 10);
  };
  EXPECT_EQ(huge(with_block) - huge(before), 40 * kMiB) << with_block;
}

TEST(MallocInfoTest, RefusesOptions) {
  FILE* const nowhere = fopen("/dev/null", "w");

  EXPECT_NE(malloc_info(1, nowhere), 0);

  fclose(nowhere);
}

TEST(MallocStatsTest, WritesToStderrOnly) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();

  malloc_stats();

  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_NE(testing::internal::GetCapturedStderr(), "");
}

TEST(MalloptTest, AcceptsGlibcsParameters) {
  for (const int parameter :
       {M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX, M_PERTURB}) {
    EXPECT_EQ(mallopt(parameter, 0), 1) << parameter;
  }
}

}  // namespace
