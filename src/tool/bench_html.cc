#include "tool/bench_html.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tool/bench_chart.h"
#include "tool/bench_format.h"

namespace cma::tool {
namespace {

// Colours that people with any kind of colour vision can tell apart, after Okabe and Ito; darker
// on a light page than on a dark one, so that all of them stand out. Marks differ too.
constexpr absl::string_view kStyle =
    ":root{color-scheme:light dark;--ink:#1b1b1b;--soft:#595959;--line:#d9d9d9;--page:#fff;"
    "--c0:#c8102e;--c1:#4d4d4d;--c2:#0067a5;--c3:#00795a;--c4:#a86200;--c5:#8f3f97;--c6:#0082b8;"
    "--c7:#7a4a21}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--soft:#b3b3b3;--line:#444;--page:#"
    "161616;"
    "--c0:#ff6b6b;--c1:#c4c4c4;--c2:#5fb3f0;--c3:#3ecf9f;--c4:#f0a830;--c5:#d98fdf;--c6:#7fd3f5;"
    "--c7:#c89a6b}}"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "color:var(--ink);background:var(--page)}h3{margin:1.2rem 0 0}h3+p{margin:0 0 "
    ".3rem;color:var(--soft)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;margin:.4rem 0 1.4rem;"
    "font-variant-numeric:tabular-nums}caption{text-align:left;padding:.3rem 0;font-weight:600}"
    "td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid var(--line);"
    "font-weight:normal;white-space:nowrap}th:first-child{text-align:left}"
    "thead th{color:var(--soft)}.best{font-weight:700}"
    ".plain td{text-align:left;white-space:normal;overflow-wrap:anywhere}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:.4rem 1rem}"
    "svg text{font:11px system-ui,sans-serif;fill:var(--soft)}.x{text-anchor:middle}"
    ".y{text-anchor:end}.axis{fill:none;stroke:var(--soft)}.grid{fill:none;stroke:var(--line)}"
    "polyline{fill:none;stroke:currentColor;stroke-width:2}.mark,rect{fill:currentColor}"
    ".c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}"
    ".c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}"
    ".legend span{margin-right:1.4rem;white-space:nowrap}"
    ".legend svg{width:30px;height:12px;margin-right:.4rem}p{max-width:48rem}"
    "pre{white-space:pre-wrap}";

std::string TableHead(const BenchResults& results, absl::string_view caption,
                      absl::string_view last) {
  std::string html = absl::StrCat("<div class=\"wide\"><table><caption>", EscapeHtml(caption),
                                  "</caption><thead><tr><th></th>");
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppend(&html, "<th scope=\"col\">", EscapeHtml(allocator.name), "</th>");
  }
  if (!last.empty()) absl::StrAppend(&html, "<th scope=\"col\">", EscapeHtml(last), "</th>");
  return html + "</tr></thead><tbody>\n";
}

constexpr absl::string_view kTableEnd = "</tbody></table></div>\n";

// Cells of one line; the best is marked.
std::string Cells(const std::vector<std::optional<double>>& values, bool more_is_better,
                  std::string (*format)(std::optional<double>)) {
  std::optional<double> best;
  for (const std::optional<double>& value : values) {
    if (!value.has_value()) continue;
    if (!best.has_value() || (more_is_better ? *value > *best : *value < *best)) best = value;
  }
  std::string html;
  for (const std::optional<double>& value : values) {
    absl::StrAppend(&html, value.has_value() && value == best ? "<td class=\"best\">" : "<td>",
                    format(value), "</td>");
  }
  return html;
}

std::string RowHead(absl::string_view text) {
  return absl::StrCat("<tr><th scope=\"row\">", EscapeHtml(text), "</th>");
}

std::string Summary(const BenchResults& results) {
  std::string html = TableHead(
      results, "Cost over the best of the other allocators, geometric mean of all rows", "");
  for (const size_t figure : results.Figures()) {
    std::vector<std::optional<double>> values;
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      values.push_back(results.MeanOverBestOther(a, figure));
    }
    absl::StrAppend(&html, RowHead(kFigures[figure].title), Cells(values, false, &Ratio),
                    "</tr>\n");
  }
  return absl::StrCat(html, kTableEnd,
                      "<p>1 is as good as the best of the others, 2 is half as fast or twice the "
                      "memory, below 1 is "
                      "ahead of all others. The best of each line is bold.</p>\n");
}

std::string Table(const BenchResults& results, size_t figure) {
  const bool more_is_better = kFigures[figure].more_is_better;
  const bool compared = results.allocators.size() > 1;
  const size_t subject = results.Subject();
  std::string html =
      TableHead(results,
                absl::StrCat(kFigures[figure].title,
                             more_is_better ? " (more is better)" : " (less is better)"),
                compared ? absl::StrCat(results.allocators[subject].name, " / best other") : "");
  for (const BenchRow& row : results.rows) {
    if (!results.HasMedian(row, figure)) continue;
    std::vector<std::optional<double>> values;
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      values.push_back(Shown(results, row, a, figure));
    }
    absl::StrAppend(&html, RowHead(BenchResults::Label(row)),
                    Cells(values, more_is_better, &Number));
    if (compared) {
      absl::StrAppend(&html, "<td>", Ratio(results.OverBestOther(row, subject, figure)), "</td>");
    }
    absl::StrAppend(&html, "</tr>\n");
  }
  return absl::StrCat(html, kTableEnd);
}

std::string What(const BenchRow& row) {
  return row.what.empty() ? "" : absl::StrCat("<p>", EscapeHtml(row.what), "</p>\n");
}

std::string Charts(const BenchResults& results) {
  std::string html = absl::StrCat("<h2>Programs</h2>\n", ChartLegend(results));
  std::vector<absl::string_view> drawn;
  for (const BenchRow& row : results.rows) {
    if (std::find(drawn.begin(), drawn.end(), row.name) != drawn.end()) continue;
    drawn.push_back(row.name);
    std::string charts;
    for (const size_t figure : row.figures) {
      absl::StrAppend(&charts, FigureChart(results, row.name, figure));
    }
    if (charts.empty()) continue;
    absl::StrAppend(&html, "<h3>", EscapeHtml(row.name), "</h3>\n", What(row),
                    "<div class=\"charts\">\n", charts, "</div>\n");
  }
  return html;
}

std::string HowMeasured(const BenchResults& results, const BenchConditions& conditions) {
  std::string html =
      "<h2>How it was measured</h2>\n<p>The same executables ran under each allocator, which was "
      "preloaded, in turn (A B C C B A ...). A scenario's work is fixed; peak RSS is that of the "
      "process, RSS at rest is read when the load has ended and all is freed but what stays by "
      "design. Runs that other processes disturbed were repeated and are left out of the medians "
      "where half of the runs or more were calm.</p>\n<table class=\"plain\"><tbody>\n";
  for (const auto& [name, value] : conditions) {
    absl::StrAppend(&html, RowHead(name), "<td>", EscapeHtml(value), "</td></tr>\n");
  }
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppend(&html, RowHead(allocator.name), "<td>", EscapeHtml(allocator.library),
                    allocator.version.empty() ? "" : " (", EscapeHtml(allocator.version),
                    allocator.version.empty() ? "" : ")", "</td></tr>\n");
  }
  return html + "</tbody></table>\n";
}

}  // namespace

std::string HtmlReport(const BenchResults& results, const BenchConditions& conditions) {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>cma bench</title><style>",
      kStyle, "</style></head><body>\n<h1>Allocators compared</h1>\n",
      results.AreComparable() ? Summary(results) : "", Charts(results), "<h2>Medians</h2>\n");
  for (const size_t figure : results.Figures()) absl::StrAppend(&html, Table(results, figure));
  const std::string complaints = Complaints(results);
  if (!complaints.empty()) absl::StrAppend(&html, "<pre>", EscapeHtml(complaints), "</pre>\n");
  return absl::StrCat(html, HowMeasured(results, conditions), "</body></html>\n");
}

}  // namespace cma::tool
