#include "tool/bench_html.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tool/bench_format.h"

namespace cma::tool {
namespace {

std::string Html(absl::string_view text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// The points of a line chart of throughput against threads, as an SVG picture.
class Chart {
 public:
  Chart(const BenchResults& results, absl::string_view name) : results_(results) {
    for (const BenchRow& row : results.rows) {
      if (row.name != name) continue;
      rows_.push_back(&row);
      for (size_t a = 0; a < results.allocators.size(); ++a) {
        highest_ = std::max(highest_, results.Median(row, a, kThroughput).value_or(0));
      }
      most_threads_ = std::max(most_threads_, row.threads);
    }
  }

  bool worth_drawing() const { return rows_.size() > 1 && highest_ > 0; }

  std::string Draw() const {
    std::string svg = absl::StrFormat("<svg viewBox=\"0 0 %d %d\" role=\"img\">", kWidth, kHeight);
    absl::StrAppendFormat(&svg,
                          "<path class=\"axis\" d=\"M%d %d V%d H%d\"/><text x=\"%d\" y=\"12\">%s "
                          "million operations per second</text>",
                          kLeft, kTop, kHeight - kBottom, kWidth - kRight, kLeft,
                          Number(highest_ / 1e6));
    for (const BenchRow* row : rows_) {
      absl::StrAppendFormat(&svg, "<text class=\"tick\" x=\"%.1f\" y=\"%d\">%d</text>",
                            X(row->threads), kHeight - 6, row->threads);
    }
    for (size_t a = 0; a < results_.allocators.size(); ++a) {
      std::vector<std::string> points;
      for (const BenchRow* row : rows_) {
        const std::optional<double> value = results_.Median(*row, a, kThroughput);
        if (value.has_value()) {
          points.push_back(absl::StrFormat("%.1f,%.1f", X(row->threads), Y(*value)));
        }
      }
      absl::StrAppendFormat(&svg, "<polyline class=\"c%d\" points=\"%s\"><title>%s</title></polyline>",
                            a % kColours, absl::StrJoin(points, " "),
                            Html(results_.allocators[a].name));
    }
    return svg + "</svg>\n";
  }

  static constexpr size_t kColours = 8;

 private:
  static constexpr int kWidth = 480, kHeight = 240, kLeft = 10, kRight = 10, kTop = 20, kBottom = 22;

  double X(int threads) const {
    const double span = std::log2(static_cast<double>(std::max(most_threads_, 2)));
    return kLeft + 10 + std::log2(threads) / span * (kWidth - kLeft - kRight - 20);
  }
  double Y(double value) const {
    return kHeight - kBottom - value / highest_ * (kHeight - kTop - kBottom);
  }

  const BenchResults& results_;
  std::vector<const BenchRow*> rows_;
  double highest_ = 0;
  int most_threads_ = 1;
};

constexpr absl::string_view kStyle =
    "body{font:15px/1.45 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}table{border-collapse:collapse;margin:.6rem 0 1.4rem}"
    "td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd;font-weight:normal}"
    "th:first-child,td:first-child{text-align:left}thead th{color:#555}.best{font-weight:600}"
    "svg{width:30rem;max-width:100%;display:block}svg text{font:12px system-ui,sans-serif;fill:#555}"
    ".tick{text-anchor:middle}.axis{fill:none;stroke:#bbb}polyline{fill:none;stroke-width:2.2}"
    ".c0{stroke:#c1272d;color:#c1272d}.c1{stroke:#555;color:#555}.c2{stroke:#0072b2;color:#0072b2}"
    ".c3{stroke:#009e73;color:#009e73}.c4{stroke:#e69f00;color:#b87f00}"
    ".c5{stroke:#8a4fbe;color:#8a4fbe}.c6{stroke:#56b4e9;color:#2a86bd}"
    ".c7{stroke:#a0522d;color:#a0522d}.key span{margin-right:1.2rem}";

std::string HtmlHead(const BenchResults& results, absl::string_view corner) {
  std::string html = absl::StrCat("<table><thead><tr><th>", Html(corner), "</th>");
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppend(&html, "<th>", Html(allocator.name), "</th>");
  }
  return html + "</tr></thead><tbody>\n";
}

// Cells of one line; the best is marked.
std::string HtmlCells(const std::vector<std::optional<double>>& values, bool more_is_better,
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

std::string HtmlSummary(const BenchResults& results) {
  std::string html = HtmlHead(results, "cost over the best of the others, geometric mean");
  for (const size_t figure : results.figures) {
    if (!HasAny(results, figure)) continue;
    std::vector<std::optional<double>> values;
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      values.push_back(results.MeanOverBestOther(a, figure));
    }
    absl::StrAppend(&html, "<tr><td>", kFigures[figure].title, "</td>",
                    HtmlCells(values, false, &Ratio), "</tr>\n");
  }
  return html + "</tbody></table>\n";
}

std::string HtmlTable(const BenchResults& results, size_t figure) {
  std::string html = HtmlHead(results, kFigures[figure].title);
  for (const BenchRow& row : results.rows) {
    std::vector<std::optional<double>> values;
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      values.push_back(Shown(results, row, a, figure));
    }
    absl::StrAppend(&html, "<tr><td>", Html(BenchResults::Label(row)), "</td>",
                    HtmlCells(values, kFigures[figure].more_is_better, &Number), "</tr>\n");
  }
  return html + "</tbody></table>\n";
}

std::string HtmlCharts(const BenchResults& results) {
  std::string html = "<p class=\"key\">";
  for (size_t a = 0; a < results.allocators.size(); ++a) {
    absl::StrAppend(&html, "<span class=\"c", a % Chart::kColours, "\">&#9644; ",
                    Html(results.allocators[a].name), "</span>");
  }
  absl::StrAppend(&html, "</p>\n");
  bool any = false;
  absl::string_view last;
  for (const BenchRow& row : results.rows) {
    if (row.name == last) continue;
    last = row.name;
    const Chart chart(results, row.name);
    if (!chart.worth_drawing()) continue;
    any = true;
    absl::StrAppend(&html, "<h3>", Html(row.name), "</h3>\n", chart.Draw());
  }
  return any ? absl::StrCat("<h2>Throughput against threads</h2>\n", html) : "";
}

}  // namespace

std::string HtmlReport(const BenchResults& results, const BenchConditions& conditions) {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>cma bench</title><style>",
      kStyle, "</style></head><body>\n<h1>Allocators compared</h1>\n",
      results.allocators.size() > 1 ? HtmlSummary(results) : "", HtmlCharts(results),
      "<h2>Medians</h2>\n");
  for (const size_t figure : results.figures) {
    if (HasAny(results, figure)) absl::StrAppend(&html, HtmlTable(results, figure));
  }
  const std::string complaints = Complaints(results);
  if (!complaints.empty()) absl::StrAppend(&html, "<pre>", Html(complaints), "</pre>\n");
  absl::StrAppend(&html, "<h2>How it was measured</h2>\n<table><tbody>\n");
  for (const auto& [name, value] : conditions) {
    absl::StrAppend(&html, "<tr><td>", Html(name), "</td><td>", Html(value), "</td></tr>\n");
  }
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppend(&html, "<tr><td>", Html(allocator.name), "</td><td>", Html(allocator.library),
                    "</td></tr>\n");
  }
  return html + "</tbody></table>\n</body></html>\n";
}

}  // namespace cma::tool
