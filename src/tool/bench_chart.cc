#include "tool/bench_chart.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tool/bench_format.h"
#include "tool/utf8_text.h"

namespace cma::tool {
namespace {

// In the units of the picture; the page scales it.
constexpr double kWidth = 360, kHeight = 230;
constexpr double kLeft = 46, kRight = 12, kTop = 26, kBottom = 36;
constexpr double kBarHeight = 20, kBarLeft = 80, kBarRight = 56;

// 1, 2 or 5 times a power of ten, so that `highest` is four steps or a little more.
double StepFor(double highest) {
  const double power = std::pow(10, std::floor(std::log10(highest / 4)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (highest / (factor * power) <= 5) return factor * power;
  }
  return 10 * power;
}

// Short enough for the margin.
std::string AxisNumber(double value) {
  if (value >= 1e6) return absl::StrCat(value / 1e6, "M");
  return value >= 1e4 ? absl::StrCat(value / 1e3, "k") : absl::StrCat(value);
}

// The scale of the vertical axis: from zero, or by powers of ten for latencies, which differ by
// orders of magnitude.
class Scale {
 public:
  Scale(double lowest, double highest, bool logarithmic) : logarithmic_(logarithmic) {
    if (logarithmic) {
      bottom_ = std::pow(10, std::floor(std::log10(std::max(lowest, 1.0))));
      top_ = std::max(std::pow(10, std::ceil(std::log10(highest) - 1e-9)), bottom_ * 10);
    } else {
      step_ = StepFor(highest > 0 ? highest : 1);
      top_ = std::max(std::ceil(highest / step_ - 1e-9), 1.0) * step_;
    }
  }

  // 0 at the bottom, 1 at the top.
  double Place(double value) const {
    if (!logarithmic_) return value / top_;
    return std::log10(std::max(value, bottom_) / bottom_) / std::log10(top_ / bottom_);
  }

  std::vector<double> Ticks() const {
    const double steps = logarithmic_ ? std::log10(top_ / bottom_) : top_ / step_;
    std::vector<double> ticks;
    for (int i = 0; i <= std::lround(steps); ++i) {
      ticks.push_back(logarithmic_ ? bottom_ * std::pow(10, i) : i * step_);
    }
    return ticks;
  }

 private:
  const bool logarithmic_;
  double bottom_ = 0;
  double step_ = 0;
  double top_ = 1;
};

// A mark that tells the allocators apart without their colours, around a point.
std::string Mark(size_t allocator, double x, double y) {
  constexpr absl::string_view kShapes[] = {
      "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0",            // disc
      "m-3.2 -3.2h6.4v6.4h-6.4z",                                    // square
      "m0 -4.2l4 7h-8z",                                             // triangle
      "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z",                         // diamond
      "m-4 -3l8 0l-4 7z",                                            // triangle, downward
      "m-1.4 -4h2.8v2.6h2.6v2.8h-2.6v2.6h-2.8v-2.6h-2.6v-2.8h2.6z",  // cross
      "m-4.4 -1.6h8.8v3.2h-8.8z",                                    // lying bar
      "m-1.6 -4.4h3.2v8.8h-3.2z",                                    // standing bar
  };
  static_assert(std::size(kShapes) == kChartColours);
  return absl::StrFormat("<path class=\"mark\" d=\"M%.1f %.1f%s\"/>", x, y,
                         kShapes[allocator % kChartColours]);
}

std::vector<const BenchRow*> RowsOf(const BenchResults& results, absl::string_view program,
                                    size_t figure) {
  std::vector<const BenchRow*> rows;
  for (const BenchRow& row : results.rows) {
    if (row.name == program && results.HasMedian(row, figure)) rows.push_back(&row);
  }
  std::sort(rows.begin(), rows.end(),
            [](const BenchRow* a, const BenchRow* b) { return a->threads < b->threads; });
  return rows;
}

std::string Start(double height, absl::string_view program, size_t figure) {
  return absl::StrFormat("<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s: %s\">", kWidth,
                         height, EscapeHtml(program), kFigures[figure].title);
}

// Lines over the number of threads, which is drawn on a scale of doublings.
class LineChart {
 public:
  LineChart(const BenchResults& results, std::vector<const BenchRow*> rows, size_t figure)
      : results_(results),
        rows_(std::move(rows)),
        figure_(figure),
        scale_(ScaleFor(results, rows_, figure)) {}

  std::string Draw() const {
    std::string svg = Start(kHeight, rows_.front()->name, figure_);
    absl::StrAppendFormat(&svg, "<text x=\"2\" y=\"12\">%s%s</text>", kFigures[figure_].title,
                          figure_ >= kFirstLatency ? " (powers of ten)" : "");
    DrawGrid(svg);
    // The first allocator, usually cma, last: above the others.
    for (size_t a = results_.allocators.size(); a > 0; --a) DrawLine(a - 1, svg);
    return svg + "</svg>\n";
  }

 private:
  static Scale ScaleFor(const BenchResults& results, const std::vector<const BenchRow*>& rows,
                        size_t figure) {
    double lowest = HUGE_VAL;
    double highest = 0;
    for (const BenchRow* row : rows) {
      for (size_t a = 0; a < results.allocators.size(); ++a) {
        const std::optional<double> value = Shown(results, *row, a, figure);
        if (!value.has_value()) continue;
        lowest = std::min(lowest, *value);
        highest = std::max(highest, *value);
      }
    }
    return Scale(lowest, highest, figure >= kFirstLatency);
  }

  double X(int threads) const {
    const double first = std::log2(rows_.front()->threads);
    const double last = std::log2(rows_.back()->threads);
    return kLeft + 14 +
           (std::log2(threads) - first) / (last - first) * (kWidth - kLeft - kRight - 28);
  }
  double Y(double value) const {
    return kHeight - kBottom - scale_.Place(value) * (kHeight - kTop - kBottom);
  }

  void DrawGrid(std::string& svg) const {
    const char* kind = "axis";
    for (const double tick : scale_.Ticks()) {
      absl::StrAppendFormat(&svg,
                            "<path class=\"%s\" d=\"M%g %.1fH%g\"/>"
                            "<text class=\"y\" x=\"%g\" y=\"%.1f\">%s</text>",
                            kind, kLeft, Y(tick), kWidth - kRight, kLeft - 6, Y(tick) + 4,
                            AxisNumber(tick));
      kind = "grid";
    }
    for (const BenchRow* row : rows_) {
      const double x = X(row->threads);
      absl::StrAppendFormat(&svg,
                            "<path class=\"axis\" d=\"M%.1f %gv4\"/>"
                            "<text class=\"x\" x=\"%.1f\" y=\"%g\">%d</text>",
                            x, kHeight - kBottom, x, kHeight - kBottom + 16, row->threads);
    }
    absl::StrAppendFormat(&svg, "<text class=\"x\" x=\"%g\" y=\"%g\">threads</text>",
                          (kLeft + kWidth - kRight) / 2, kHeight - 4);
  }

  void DrawLine(size_t allocator, std::string& svg) const {
    std::vector<std::string> points;
    std::string marks;
    for (const BenchRow* row : rows_) {
      const std::optional<double> value = Shown(results_, *row, allocator, figure_);
      if (!value.has_value()) continue;
      points.push_back(absl::StrFormat("%.1f,%.1f", X(row->threads), Y(*value)));
      absl::StrAppend(&marks, Mark(allocator, X(row->threads), Y(*value)));
    }
    absl::StrAppendFormat(&svg, "<g class=\"c%d\"><title>%s</title><polyline points=\"%s\"/>%s</g>",
                          allocator % kChartColours,
                          EscapeHtml(results_.allocators[allocator].name),
                          absl::StrJoin(points, " "), marks);
  }

  const BenchResults& results_;
  const std::vector<const BenchRow*> rows_;
  const size_t figure_;
  const Scale scale_;
};

// A bar for each allocator.
std::string BarChart(const BenchResults& results, const BenchRow& row, size_t figure) {
  double highest = 1e-9;
  for (size_t a = 0; a < results.allocators.size(); ++a) {
    highest = std::max(highest, Shown(results, row, a, figure).value_or(0));
  }
  const double height = 22 + kBarHeight * static_cast<double>(results.allocators.size());
  std::string svg = Start(height, row.name, figure);
  absl::StrAppendFormat(&svg, "<text x=\"2\" y=\"12\">%s</text>", kFigures[figure].title);
  for (size_t a = 0; a < results.allocators.size(); ++a) {
    const std::optional<double> value = Shown(results, row, a, figure);
    const double y = 22 + kBarHeight * static_cast<double>(a);
    const double width = value.value_or(0) / highest * (kWidth - kBarLeft - kBarRight);
    absl::StrAppendFormat(&svg,
                          "<text class=\"y\" x=\"%g\" y=\"%.1f\">%s</text><rect class=\"c%d\" "
                          "x=\"%g\" y=\"%.1f\" width=\"%.1f\" height=\"%g\"/><text x=\"%.1f\" "
                          "y=\"%.1f\">%s</text>",
                          kBarLeft - 6, y + 13, EscapeHtml(results.allocators[a].name),
                          a % kChartColours, kBarLeft, y + 2, width, kBarHeight - 5,
                          kBarLeft + width + 5, y + 13, Number(value));
  }
  return svg + "</svg>\n";
}

}  // namespace

std::string FigureChart(const BenchResults& results, absl::string_view program, size_t figure) {
  const std::vector<const BenchRow*> rows = RowsOf(results, program, figure);
  if (rows.empty()) return {};
  if (rows.front()->threads == rows.back()->threads) return BarChart(results, *rows[0], figure);
  return LineChart(results, rows, figure).Draw();
}

std::string ChartLegend(const BenchResults& results) {
  std::string html = "<p class=\"legend\">";
  for (size_t a = 0; a < results.allocators.size(); ++a) {
    absl::StrAppendFormat(&html,
                          "<span><svg viewBox=\"0 0 30 12\" aria-hidden=\"true\"><g "
                          "class=\"c%d\"><polyline points=\"0,6 30,6\"/>%s</g></svg>%s</span>",
                          a % kChartColours, Mark(a, 15, 6),
                          EscapeHtml(results.allocators[a].name));
  }
  return html + "</p>\n";
}

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(Utf8Text(text),
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

}  // namespace cma::tool
