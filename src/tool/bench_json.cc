#include "tool/bench_json.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tool/utf8_text.h"

namespace cma::tool {
namespace {

constexpr int kVersion = 2;

using Members = std::vector<std::pair<absl::string_view, std::string>>;

std::string String(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : Utf8Text(text)) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", absl::string_view(&c, 1));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", c);
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

std::string NumberOrNull(std::optional<double> value) {
  return value.has_value() ? absl::StrFormat("%.9g", *value) : "null";
}

std::string Object(const Members& members, absl::string_view separator = ", ") {
  return absl::StrCat("{",
                      absl::StrJoin(members, separator,
                                    [](std::string* out, const auto& member) {
                                      absl::StrAppend(out, String(member.first), ": ",
                                                      member.second);
                                    }),
                      "}");
}

std::string Array(const std::vector<std::string>& items, absl::string_view separator = ", ") {
  return absl::StrCat("[", absl::StrJoin(items, separator), "]");
}

// One member for each figure of the row.
template <typename Value>
Members ByFigure(const BenchRow& row, Value value) {
  Members members;
  for (const size_t figure : row.figures) {
    members.emplace_back(kFigures[figure].key, NumberOrNull(value(figure)));
  }
  return members;
}

std::string Sample(const BenchRow& row, const BenchSample& sample) {
  Members members = ByFigure(row, [&](size_t figure) { return sample.values[figure]; });
  members.emplace_back("disturbed", sample.disturbed ? "true" : "false");
  members.emplace_back("error", sample.error.empty() ? "null" : String(sample.error));
  return Object(members);
}

std::string Cell(const BenchResults& results, const BenchRow& row, size_t allocator) {
  std::vector<std::string> samples;
  for (const BenchSample& sample : row.samples[allocator]) samples.push_back(Sample(row, sample));
  return Object({
      {"median",
       Object(ByFigure(row, [&](size_t f) { return results.Median(row, allocator, f); }))},
      {"over_best_other",
       Object(ByFigure(row, [&](size_t f) { return results.OverBestOther(row, allocator, f); }))},
      {"samples", Array(samples)},
  });
}

std::string Row(const BenchResults& results, const BenchRow& row) {
  Members cells;
  for (size_t a = 0; a < results.allocators.size(); ++a) {
    cells.emplace_back(results.allocators[a].name, Cell(results, row, a));
  }
  return Object({{"program", String(row.name)},
                 {"threads", row.threads == 0 ? "null" : absl::StrCat(row.threads)},
                 {"results", absl::StrCat("\n  ", Object(cells, ",\n   "))}});
}

std::string Figures(const BenchResults& results) {
  Members figures;
  for (const size_t figure : results.Figures()) {
    Members means;
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      means.emplace_back(results.allocators[a].name,
                         NumberOrNull(results.MeanOverBestOther(a, figure)));
    }
    figures.emplace_back(
        kFigures[figure].key,
        Object({{"more_is_better", kFigures[figure].more_is_better ? "true" : "false"},
                {"mean_over_best_other", Object(means)}}));
  }
  return Object(figures, ",\n ");
}

}  // namespace

std::string JsonReport(const BenchResults& results, const BenchConditions& conditions) {
  Members described;
  for (const auto& [name, value] : conditions) described.emplace_back(name, String(value));
  Members allocators;
  for (const BenchAllocator& a : results.allocators) {
    allocators.emplace_back(a.name,
                            Object({{"library", String(a.library)},
                                    {"version", a.version.empty() ? "null" : String(a.version)}}));
  }
  std::vector<std::string> rows;
  for (const BenchRow& row : results.rows) rows.push_back(Row(results, row));
  return Object({{"version", absl::StrCat(kVersion)},
                 {"conditions", Object(described, ",\n ")},
                 {"allocators", Object(allocators, ",\n ")},
                 {"figures", Figures(results)},
                 {"rows", Array(rows, ",\n")}},
                ",\n") +
         "\n";
}

}  // namespace cma::tool
