// Medians and ratios of `cma bench`, and the forms in which they are written.
#include "tool/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tool/bench_chart.h"
#include "tool/bench_format.h"
#include "tool/bench_html.h"
#include "tool/bench_json.h"
#include "tool/bench_results.h"
#include "tool/utf8_text.h"

namespace cma::tool {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Optional;

BenchSample Sample(double throughput, double peak_kib, bool disturbed = false) {
  BenchSample sample;
  sample.values[kThroughput] = throughput;
  sample.values[kPeakRss] = peak_kib;
  sample.disturbed = disturbed;
  return sample;
}

BenchSample Failed(const std::string& error) {
  BenchSample sample;
  sample.error = error;
  return sample;
}

// Two programs under two allocators: cma is faster in the first, by 2, and slower in the second, by
// 4; it needs half the memory in the first.
BenchResults TwoRows() {
  BenchResults results;
  results.allocators = {{"cma", "/lib/cma.so", "1.2"}, {"<other>", "/lib/other.so"}};
  const std::vector<size_t> figures = {kThroughput, kPeakRss};
  results.rows.push_back({"churn", 1, figures, {{Sample(4e6, 1024)}, {Sample(2e6, 2048)}}});
  results.rows.push_back({"churn", 2, figures, {{Sample(1e6, 1024)}, {Sample(4e6, 1024)}}});
  return results;
}

TEST(BenchResultsTest, TheMedianIsOfTheCalmRunsWhereHalfAreCalm) {
  BenchResults results = TwoRows();
  results.rows[0].samples[0] = {Sample(1, 1), Sample(3, 1), Sample(100, 1, true)};
  EXPECT_THAT(results.Median(results.rows[0], 0, kThroughput), Optional(2.0));

  results.rows[0].samples[0] = {Sample(1, 1), Sample(50, 1, true), Sample(100, 1, true)};
  EXPECT_THAT(results.Median(results.rows[0], 0, kThroughput), Optional(50.0));
}

TEST(BenchResultsTest, FailedRunsDoNotCount) {
  BenchResults results = TwoRows();
  results.rows[0].samples[0] = {Failed("x"), Sample(3, 1), Failed("y")};
  EXPECT_THAT(results.Median(results.rows[0], 0, kThroughput), Optional(3.0));

  results.rows[0].samples[0] = {Failed("x")};
  EXPECT_EQ(results.Median(results.rows[0], 0, kThroughput), std::nullopt);
  EXPECT_EQ(results.OverBestOther(results.rows[0], 0, kThroughput), std::nullopt);
}

TEST(BenchResultsTest, RatiosAreCostsWhateverWayTheFigureCounts) {
  const BenchResults results = TwoRows();

  EXPECT_THAT(results.OverBestOther(results.rows[0], 0, kThroughput), Optional(0.5));
  EXPECT_THAT(results.OverBestOther(results.rows[1], 0, kThroughput), Optional(4.0));
  EXPECT_THAT(results.OverBestOther(results.rows[0], 0, kPeakRss), Optional(0.5));
  EXPECT_THAT(results.MeanOverBestOther(0, kThroughput), Optional(DoubleNear(1.41421, 1e-4)));
  EXPECT_THAT(results.MeanOverBestOther(1, kPeakRss), Optional(DoubleNear(1.41421, 1e-4)));
}

TEST(BenchResultsTest, FiguresThatDoNotCountInARowAreLeftOut) {
  BenchResults results = TwoRows();
  BenchSample program = Sample(1, 4096);
  program.values[kSeconds] = 2;
  results.rows.push_back({"sqlite", 0, {kSeconds, kPeakRss}, {{program}, {program}}});

  EXPECT_THAT(results.Figures(), ElementsAre(kThroughput, kSeconds, kPeakRss));
  EXPECT_EQ(results.Median(results.rows[2], 0, kThroughput), std::nullopt);
  EXPECT_THAT(results.Median(results.rows[2], 0, kSeconds), Optional(2.0));
  EXPECT_FALSE(results.HasMedian(results.rows[0], kSeconds));
}

TEST(BenchFormatTest, NumbersHaveThreeSignificantDigitsHoweverSmall) {
  EXPECT_EQ(Number(123456), "123456");
  EXPECT_EQ(Number(12.34), "12.3");
  EXPECT_EQ(Number(1.234), "1.23");
  EXPECT_EQ(Number(0.26), "0.260");
  EXPECT_EQ(Number(0.000712), "0.000712");
  EXPECT_EQ(Number(0), "0.00");
  EXPECT_EQ(Number(std::nullopt), "-");
}

TEST(BenchReportTest, TextHasMediansAndRatios) {
  const std::string text = TextReport(TwoRows(), {{"processor", "a fast one"}});

  EXPECT_THAT(text, HasSubstr("processor: a fast one\n"));
  EXPECT_THAT(text, HasSubstr("million operations per second (more is better)\n"));
  EXPECT_THAT(text, HasSubstr("churn, 1 thread          4.00         2.00  0.50\n"));
  EXPECT_THAT(text, HasSubstr("churn, 2 threads         1.00         4.00  4.00\n"));
  EXPECT_THAT(text, Not(HasSubstr("RSS at rest")));
}

TEST(BenchReportTest, TextNamesWhatFailedAndWhatWasDisturbed) {
  BenchResults results = TwoRows();
  results.rows[0].samples[1].push_back(Failed("signal 11"));
  results.rows[1].samples[0][0].disturbed = true;

  const std::string text = TextReport(results, {});

  EXPECT_THAT(text, HasSubstr("1 of 5 runs were disturbed"));
  EXPECT_THAT(text, HasSubstr("  churn, 1 thread, <other>: signal 11\n"));
}

TEST(BenchReportTest, WhatCannotBeComparedIsNotSummedUp) {
  constexpr char kText[] = "cost over the best of the others";
  constexpr char kHtml[] = "Cost over the best of the other allocators";
  BenchResults results = TwoRows();
  EXPECT_THAT(TextReport(results, {}), HasSubstr(kText));
  EXPECT_THAT(HtmlReport(results, {}), HasSubstr(kHtml));

  for (BenchRow& row : results.rows) row.samples[1] = {Failed("signal 11")};
  EXPECT_THAT(TextReport(results, {}), Not(HasSubstr(kText)));
  EXPECT_THAT(TextReport(results, {}), HasSubstr("churn, 1 thread "));

  for (BenchRow& row : results.rows) row.samples[0] = {Failed("signal 11")};
  EXPECT_THAT(TextReport(results, {}), Not(HasSubstr(kText)));
  EXPECT_THAT(HtmlReport(results, {}), Not(HasSubstr(kHtml)));
  EXPECT_THAT(TextReport(results, {}), HasSubstr("  churn, 2 threads, cma: signal 11\n"));
}

TEST(BenchReportTest, CsvHasOneLineForEachSample) {
  BenchResults results = TwoRows();
  results.rows[1].samples[1][0] = Failed("said \"no\", twice");

  EXPECT_EQ(CsvReport(results),
            "program,threads,allocator,run,ops_per_second,seconds,cpu_seconds,peak_rss_kib,"
            "rest_rss_kib,malloc_p50_ns,malloc_p99_ns,malloc_p9999_ns,malloc_max_ns,free_p50_ns,"
            "free_p99_ns,free_p9999_ns,free_max_ns,disturbed,error\n"
            "churn,1,cma,1,4000000,,,1024,,,,,,,,,,0,\n"
            "churn,1,<other>,1,2000000,,,2048,,,,,,,,,,0,\n"
            "churn,2,cma,1,1000000,,,1024,,,,,,,,,,0,\n"
            "churn,2,<other>,1,,,,,,,,,,,,,,0,\"said \"\"no\"\", twice\"\n");
}

TEST(BenchReportTest, JsonHasMediansAndSamples) {
  BenchResults results = TwoRows();
  results.rows[0].samples[0].push_back(Failed("a \"quoted\" word\n"));

  const std::string json = JsonReport(results, {{"kernel", "Linux"}});

  EXPECT_THAT(json, HasSubstr("\"version\": 2"));
  EXPECT_THAT(json, HasSubstr("\"kernel\": \"Linux\""));
  EXPECT_THAT(json, HasSubstr("\"cma\": {\"library\": \"/lib/cma.so\", \"version\": \"1.2\"}"));
  EXPECT_THAT(json, HasSubstr("\"peak_rss_kib\": {\"more_is_better\": false, "
                              "\"mean_over_best_other\": {\"cma\": 0.707106781, "));
  EXPECT_THAT(json,
              HasSubstr("\"cma\": {\"median\": {\"ops_per_second\": 4000000, "
                        "\"peak_rss_kib\": 1024}, \"over_best_other\": {\"ops_per_second\": 0.5, "
                        "\"peak_rss_kib\": 0.5}, \"samples\": ["));
  EXPECT_THAT(json, HasSubstr("\"error\": \"a \\\"quoted\\\" word\\u000a\""));
}

TEST(BenchReportTest, HtmlIsOnePageWithChartsAndEscapesNames) {
  BenchResults results = TwoRows();
  results.rows[0].what = "random & private";
  const std::string html = HtmlReport(results, {{"command", "cma bench -- a<b"}});

  EXPECT_THAT(html, HasSubstr("<svg "));
  EXPECT_THAT(html, HasSubstr("<g class=\"c1\"><title>&lt;other&gt;</title><polyline"));
  EXPECT_THAT(html, HasSubstr("a&lt;b"));
  EXPECT_THAT(html, HasSubstr("<h3>churn</h3>\n<p>random &amp; private</p>"));
  EXPECT_THAT(html, HasSubstr("/lib/cma.so (1.2)"));
  EXPECT_THAT(html, Not(HasSubstr("<other>")));
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(BenchReportTest, FilesAreUtf8WhateverTheProgramIsCalled) {
  BenchResults results = TwoRows();
  results.rows[0].name = "na\xc3\xafve \xff";
  results.rows[0].samples[0].push_back(Failed("caf\xe9"));
  const BenchConditions conditions = {{"command", "cma bench -- \xf0\x9f\x90\x8d \xf0\x9f"}};

  const std::string html = HtmlReport(results, conditions);
  const std::string json = JsonReport(results, conditions);
  const std::string csv = CsvReport(results);

  for (const std::string& report : {html, json, csv}) EXPECT_EQ(Utf8Text(report), report);
  EXPECT_THAT(html, HasSubstr("<h3>na\xc3\xafve \\xff</h3>"));
  EXPECT_THAT(html, HasSubstr("cma bench -- \xf0\x9f\x90\x8d \\xf0\\x9f<"));
  EXPECT_THAT(json, HasSubstr("\"program\": \"na\xc3\xafve \\\\xff\""));
  EXPECT_THAT(csv, HasSubstr("\nna\xc3\xafve \\xff,1,cma,2,"));
  EXPECT_THAT(csv, HasSubstr(",caf\\xe9\n"));
}

TEST(BenchChartTest, LinesStandOnAScaleWithRoundNumbersFromZero) {
  BenchResults results = TwoRows();
  results.rows[1].samples[1] = {Sample(18.3e6, 1024)};

  const std::string chart = FigureChart(results, "churn", kThroughput);

  for (const char* label : {">0<", ">5<", ">10<", ">15<", ">20<", ">threads<"}) {
    EXPECT_THAT(chart, HasSubstr(label));
  }
  EXPECT_THAT(chart, HasSubstr("million operations per second"));
}

TEST(BenchChartTest, LatenciesStandOnAScaleOfPowersOfTen) {
  BenchResults results = TwoRows();
  for (BenchRow& row : results.rows) {
    row.figures = {kFirstLatency};
    row.samples[0][0].values[kFirstLatency] = 20;
    row.samples[1][0].values[kFirstLatency] = 3'000'000;
  }

  const std::string chart = FigureChart(results, "churn", kFirstLatency);

  for (const char* label : {">10<", ">1000<", ">10k<", ">1M<", ">10M<"}) {
    EXPECT_THAT(chart, HasSubstr(label));
  }
}

TEST(BenchChartTest, OneNumberOfThreadsGivesBarsWithTheirValues) {
  BenchResults results = TwoRows();
  results.rows.pop_back();

  const std::string chart = FigureChart(results, "churn", kPeakRss);

  EXPECT_THAT(chart, HasSubstr("<rect class=\"c0\""));
  EXPECT_THAT(chart, HasSubstr(">1.00</text>"));
  EXPECT_THAT(chart, HasSubstr(">2.00</text>"));
  EXPECT_THAT(chart, Not(HasSubstr("polyline")));
}

TEST(BenchChartTest, NothingMeasuredIsNothingDrawn) {
  EXPECT_EQ(FigureChart(TwoRows(), "churn", kRestRss), "");
  EXPECT_EQ(FigureChart(TwoRows(), "other", kThroughput), "");
}

}  // namespace
}  // namespace cma::tool
