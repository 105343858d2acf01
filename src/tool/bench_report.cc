#include "tool/bench_report.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tool/bench_format.h"
#include "tool/bench_html.h"
#include "tool/bench_json.h"
#include "tool/utf8_text.h"

namespace cma::tool {
namespace {

// Columns of numbers.
constexpr int kColumn = 12;

std::string CsvField(absl::string_view bytes) {
  const std::string text = Utf8Text(bytes);
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

void AppendNames(const BenchResults& results, std::string& text) {
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppendFormat(&text, " %*s", kColumn, allocator.name);
  }
}

void AppendTextRow(const BenchResults& results, const BenchRow& row, size_t figure,
                   std::string& text) {
  for (size_t a = 0; a < results.allocators.size(); ++a) {
    absl::StrAppendFormat(&text, " %*s", kColumn, Number(Shown(results, row, a, figure)));
  }
  if (results.allocators.size() > 1) {
    absl::StrAppendFormat(&text, "  %s",
                          Ratio(results.OverBestOther(row, results.Subject(), figure)));
  }
  absl::StrAppend(&text, "\n");
}

void AppendTextTable(const BenchResults& results, size_t figure, std::string& text) {
  size_t width = 0;
  for (const BenchRow& row : results.rows) width = std::max(width, BenchResults::Label(row).size());
  absl::StrAppend(&text, "\n", kFigures[figure].title,
                  kFigures[figure].more_is_better ? " (more is better)\n" : " (less is better)\n");
  absl::StrAppendFormat(&text, "%-*s", static_cast<int>(width), "");
  AppendNames(results, text);
  if (results.allocators.size() > 1) {
    absl::StrAppendFormat(&text, "  %s/best other", results.allocators[results.Subject()].name);
  }
  absl::StrAppend(&text, "\n");
  for (const BenchRow& row : results.rows) {
    if (!results.HasMedian(row, figure)) continue;
    absl::StrAppendFormat(&text, "%-*s", static_cast<int>(width), BenchResults::Label(row));
    AppendTextRow(results, row, figure, text);
  }
}

void AppendTextSummary(const BenchResults& results, std::string& text) {
  constexpr int kTitles = 28;
  absl::StrAppend(
      &text, "\ncost over the best of the others, geometric mean of all rows (below 1: ahead)\n");
  absl::StrAppendFormat(&text, "%-*s", kTitles, "");
  AppendNames(results, text);
  absl::StrAppend(&text, "\n");
  for (const size_t figure : results.Figures()) {
    absl::StrAppendFormat(&text, "%-*s", kTitles, kFigures[figure].title);
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      absl::StrAppendFormat(&text, " %*s", kColumn, Ratio(results.MeanOverBestOther(a, figure)));
    }
    absl::StrAppend(&text, "\n");
  }
}

// In one step, so that nobody finds half a file.
absl::Status WriteFile(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path fresh = path.string() + ".new";
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(fresh, path, error);
  if (!file || error) return absl::InternalError(absl::StrCat("cannot write ", path.string()));
  return absl::OkStatus();
}

}  // namespace

std::string TextReport(const BenchResults& results, const BenchConditions& conditions) {
  std::string text;
  for (const auto& [name, value] : conditions) absl::StrAppend(&text, name, ": ", value, "\n");
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppendFormat(&text, "  %-10s %s%s\n", allocator.name, allocator.library,
                          allocator.version.empty() ? "" : " (" + allocator.version + ")");
  }
  for (const size_t figure : results.Figures()) AppendTextTable(results, figure, text);
  if (results.AreComparable()) AppendTextSummary(results, text);
  return text + Complaints(results);
}

std::string CsvReport(const BenchResults& results) {
  std::string csv = "program,threads,allocator,run";
  for (const Figure& figure : kFigures) absl::StrAppend(&csv, ",", figure.key);
  absl::StrAppend(&csv, ",disturbed,error\n");
  for (const BenchRow& row : results.rows) {
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      for (size_t run = 0; run < row.samples[a].size(); ++run) {
        const BenchSample& sample = row.samples[a][run];
        absl::StrAppend(&csv, CsvField(row.name), ",",
                        row.threads == 0 ? "" : absl::StrCat(row.threads), ",",
                        CsvField(results.allocators[a].name), ",", run + 1);
        for (const std::optional<double>& value : sample.values) {
          absl::StrAppend(&csv, ",", value.has_value() ? absl::StrFormat("%.9g", *value) : "");
        }
        absl::StrAppend(&csv, ",", sample.disturbed ? 1 : 0, ",", CsvField(sample.error), "\n");
      }
    }
  }
  return csv;
}

absl::Status PrepareReports(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot make ", directory, ": ", error.message()));
  }
  if (access(directory.c_str(), W_OK | X_OK) != 0) {
    return absl::InternalError(
        absl::StrCat("cannot write to ", directory, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status WriteReports(const std::string& directory, const BenchResults& results,
                          const BenchConditions& conditions) {
  const std::filesystem::path base(directory);
  if (absl::Status s = WriteFile(base / "results.csv", CsvReport(results)); !s.ok()) return s;
  if (absl::Status s = WriteFile(base / "results.json", JsonReport(results, conditions)); !s.ok()) {
    return s;
  }
  return WriteFile(base / "report.html", HtmlReport(results, conditions));
}

}  // namespace cma::tool
