// The forms of the statistics, as far as it takes no parser to see that they are right;
// tests/programs/cma_stats.sh has one.
#include "stats/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "cma/cma.h"
#include "stats/figures.h"
#include "support/captured_text.h"

namespace cma {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;

// What is written, in pieces.
std::vector<std::string> Pieces(StatsFormat format) {
  std::vector<std::string> pieces;
  const auto write = [](void* context, const char* text, size_t bytes) {
    cma_free(cma_malloc(bytes));  // a callback may allocate
    static_cast<std::vector<std::string>*>(context)->emplace_back(text, bytes);
  };
  WriteStats(format, {write, &pieces});
  return pieces;
}

std::string Written(StatsFormat format) {
  std::string text;
  for (const std::string& piece : Pieces(format)) text += piece;
  return text;
}

TEST(StatsFormatsTest, EveryFieldOfTheStatisticsHasAFigure) {
  EXPECT_EQ(std::size(kFigures) * sizeof(size_t), offsetof(cma_stats, reserved));
  std::set<std::string> names;
  for (const Figure& figure : kFigures) names.insert(figure.name);
  EXPECT_EQ(names.size(), std::size(kFigures));
}

TEST(StatsFormatsTest, EveryFigureIsInEveryForm) {
  cma_free(cma_malloc(100));
  const std::string text = Written(StatsFormat::kText);
  const std::string json = Written(StatsFormat::kJson);
  const std::string prometheus = Written(StatsFormat::kPrometheus);
  for (const Figure& figure : kFigures) {
    if (figure.kind != FigureKind::kCount) {
      EXPECT_THAT(text, HasSubstr(std::string(figure.label) + ": " + figure.meaning + "\n"));
    }
    EXPECT_THAT(json, ContainsRegex(std::string("\"") + figure.name + "\": [0-9]+"));
    const std::string name = std::string("cma_") + figure.name +
                             (figure.kind == FigureKind::kTotalBytes ? "_total" : "");
    EXPECT_THAT(prometheus, ContainsRegex("\n" + name + " [0-9]+\n"));
  }
}

TEST(StatsFormatsTest, NothingIsWrittenWhereNothingIsAskedFor) {
  EXPECT_TRUE(Pieces(StatsFormat::kOff).empty());
}

TEST(StatsFormatsTest, PiecesAreNotEmptyAndAtMostOneKiB) {
  for (const StatsFormat format :
       {StatsFormat::kText, StatsFormat::kJson, StatsFormat::kPrometheus}) {
    for (const std::string& piece : Pieces(format)) {
      EXPECT_GT(piece.size(), 0u);
      EXPECT_LT(piece.size(), 1024u) << "nothing was cut off";
    }
  }
}

TEST(StatsFormatsTest, ADescriptorGetsTheSame) {
  const std::string text =
      cma_test::TextWrittenBy([](int fd) { PrintStats(fd, StatsFormat::kPrometheus); });

  EXPECT_THAT(text, testing::StartsWith("# HELP cma_info"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(StatsFormatsTest, PrometheusHasHelpAndTypeBeforeTheSamplesOfAMetric) {
  void* const block = cma_malloc(5000);
  std::istringstream lines(Written(StatsFormat::kPrometheus));
  cma_free(block);
  std::string helped;
  std::string typed;
  std::set<std::string> metrics;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark;
    std::string what;
    std::string metric;
    words >> mark >> what >> metric;
    if (mark == "#" && what == "HELP") {
      helped = metric;
      EXPECT_TRUE(metrics.insert(metric).second) << metric << " comes twice";
    } else if (mark == "#") {
      typed = metric;
      EXPECT_EQ(typed, helped);
      EXPECT_THAT(line, MatchesRegex("# TYPE [a-z_]+ (gauge|counter)"));
    } else {
      EXPECT_THAT(line, MatchesRegex("[a-z_]+([{]([a-z_]+=\"[^\"]*\",?)*[}])? [0-9]+"));
      EXPECT_EQ(line.substr(0, line.find_first_of("{ ")), typed);
    }
  }
  EXPECT_GE(metrics.size(), 15u);
}

TEST(StatsFormatsTest, AHeapOfTheProgramsIsInEveryForm) {
  cma_heap* const heap = cma_heap_create("parts \"A\"", 8 << 20);
  ASSERT_NE(cma_heap_malloc(heap, 5 << 20), nullptr);
  EXPECT_EQ(cma_heap_malloc(heap, 5 << 20), nullptr);

  EXPECT_THAT(
      Written(StatsFormat::kText),
      HasSubstr(" 5120 KiB  heap \"parts \\\"A\\\"\": live; peak 5120 KiB, mapped 5120 KiB, "
                "limit 8192 KiB, refused 1 times\n"));
  EXPECT_THAT(Written(StatsFormat::kJson),
              ContainsRegex("[{]\"name\": \"parts .\"A.\"\", \"arena\": [0-9]+, "
                            "\"live_bytes\": 5242880, \"peak_bytes\": 5242880, "
                            "\"huge_bytes\": 5242880, \"mapped_bytes\": 5242880, "
                            "\"limit_bytes\": 8388608, \"refusals\": 1[}]"));
  const std::string prometheus = Written(StatsFormat::kPrometheus);
  EXPECT_THAT(prometheus,
              ContainsRegex("\ncma_heap_bytes[{]heap=\"parts .\"A.\"\",arena=\"[0-9]+\","
                            "state=\"limit\"[}] 8388608\n"));
  EXPECT_THAT(prometheus, ContainsRegex("\ncma_heap_refusals_total[{]heap=\"parts .\"A.\"\","
                                        "arena=\"[0-9]+\"[}] 1\n"));
  cma_heap_destroy(heap);
  EXPECT_THAT(Written(StatsFormat::kJson), testing::Not(HasSubstr("parts")));
}

TEST(StatsFormatsTest, OfManyHeapsTheTextNamesSomeAndTheOtherFormsAll) {
  std::vector<cma_heap*> heaps;
  for (int i = 0; i < 20; ++i) heaps.push_back(cma_heap_create("one of many", 0));

  EXPECT_THAT(Written(StatsFormat::kText), HasSubstr("cma: and 4 more heaps\n"));
  const std::string json = Written(StatsFormat::kJson);
  size_t count = 0;
  for (size_t at = 0; (at = json.find("one of many", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, heaps.size());
  for (cma_heap* heap : heaps) cma_heap_destroy(heap);
}

TEST(StatsFormatsTest, WritingThemAllocatesNothing) {
  const auto discard = [](void*, const char*, size_t) {};
  WriteStats(StatsFormat::kJson, {discard, nullptr});
  cma_stats before;
  CollectStats(&before);

  for (const StatsFormat format :
       {StatsFormat::kText, StatsFormat::kJson, StatsFormat::kPrometheus}) {
    WriteStats(format, {discard, nullptr});
  }

  cma_stats after;
  CollectStats(&after);
  EXPECT_EQ(after.mapped_bytes, before.mapped_bytes);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
}

}  // namespace
}  // namespace cma
