#include "tool/bench_report.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tool/bench_format.h"
#include "tool/bench_html.h"

namespace cma::tool {
namespace {

constexpr int kJsonVersion = 1;

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(parts.first) == "model name") {
      return std::string(absl::StripAsciiWhitespace(parts.second));
    }
  }
  return "unknown";
}

std::string JsonString(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
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

std::string JsonNumber(std::optional<double> value) {
  return value.has_value() ? absl::StrFormat("%.9g", *value) : "null";
}

std::string CsvField(absl::string_view text) {
  if (text.find_first_of(",\"\n") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

size_t Subject(const BenchResults& results) {
  for (size_t i = 0; i < results.allocators.size(); ++i) {
    if (results.allocators[i].name == "cma") return i;
  }
  return 0;
}

void AppendTextTable(const BenchResults& results, size_t figure, std::string& text) {
  size_t width = 0;
  for (const BenchRow& row : results.rows) width = std::max(width, BenchResults::Label(row).size());
  const size_t subject = Subject(results);
  absl::StrAppend(&text, "\n", kFigures[figure].title,
                  kFigures[figure].more_is_better ? " (more is better)\n" : " (less is better)\n");
  absl::StrAppendFormat(&text, "%-*s", static_cast<int>(width), "");
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppendFormat(&text, " %12s", allocator.name);
  }
  if (results.allocators.size() > 1) {
    absl::StrAppendFormat(&text, "  %s/best other", results.allocators[subject].name);
  }
  absl::StrAppend(&text, "\n");
  for (const BenchRow& row : results.rows) {
    absl::StrAppendFormat(&text, "%-*s", static_cast<int>(width), BenchResults::Label(row));
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      absl::StrAppendFormat(&text, " %12s", Number(Shown(results, row, a, figure)));
    }
    if (results.allocators.size() > 1) {
      absl::StrAppendFormat(&text, "  %s", Ratio(results.OverBestOther(row, subject, figure)));
    }
    absl::StrAppend(&text, "\n");
  }
}

void AppendTextSummary(const BenchResults& results, std::string& text) {
  absl::StrAppend(&text, "\ncost over the best of the others, geometric mean (below 1: ahead)\n");
  absl::StrAppendFormat(&text, "%-22s", "");
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppendFormat(&text, " %12s", allocator.name);
  }
  absl::StrAppend(&text, "\n");
  for (const size_t figure : results.figures) {
    if (!HasAny(results, figure)) continue;
    absl::StrAppendFormat(&text, "%-22s", kFigures[figure].title);
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      absl::StrAppendFormat(&text, " %12s", Ratio(results.MeanOverBestOther(a, figure)));
    }
    absl::StrAppend(&text, "\n");
  }
}

absl::Status WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::InternalError(absl::StrCat("cannot write ", path.string()));
  return absl::OkStatus();
}

}  // namespace

BenchConditions DescribeMachine() {
  cpu_set_t mask;
  const int cpus = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
  utsname kernel{};
  uname(&kernel);
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                        static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 30);
  return {
      {"processor", Processor()},
      {"usable CPUs", absl::StrCat(cpus)},
      {"memory", absl::StrFormat("%.1f GiB", memory)},
      {"kernel", absl::StrCat(kernel.sysname, " ", kernel.release, " ", kernel.machine)},
      {"libc", absl::StrCat("glibc ", gnu_get_libc_version())},
      {"transparent huge pages", FirstLine("/sys/kernel/mm/transparent_hugepage/enabled")},
      {"load average before", FirstLine("/proc/loadavg")},
  };
}

std::string TextReport(const BenchResults& results, const BenchConditions& conditions) {
  std::string text;
  for (const auto& [name, value] : conditions) absl::StrAppend(&text, name, ": ", value, "\n");
  for (const BenchAllocator& allocator : results.allocators) {
    absl::StrAppendFormat(&text, "  %-10s %s\n", allocator.name, allocator.library);
  }
  for (const size_t figure : results.figures) {
    if (HasAny(results, figure)) AppendTextTable(results, figure, text);
  }
  if (results.allocators.size() > 1) AppendTextSummary(results, text);
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

std::string JsonReport(const BenchResults& results, const BenchConditions& conditions) {
  const auto object = [](const auto& pairs) {
    return absl::StrCat("{", absl::StrJoin(pairs, ", ", [](std::string* out, const auto& pair) {
                          absl::StrAppend(out, JsonString(pair.first), ": ", pair.second);
                        }), "}");
  };
  std::vector<std::pair<std::string, std::string>> members;
  for (const auto& [name, value] : conditions) members.emplace_back(name, JsonString(value));
  std::string json = absl::StrCat("{\n\"version\": ", kJsonVersion, ",\n\"conditions\": ",
                                  object(members), ",\n\"allocators\": ");
  members.clear();
  for (const BenchAllocator& a : results.allocators) members.emplace_back(a.name, JsonString(a.library));
  absl::StrAppend(&json, object(members), ",\n\"rows\": [");
  bool first_row = true;
  for (const BenchRow& row : results.rows) {
    absl::StrAppend(&json, first_row ? "\n" : ",\n", "{\"program\": ", JsonString(row.name),
                    ", \"threads\": ", row.threads == 0 ? "null" : absl::StrCat(row.threads),
                    ", \"results\": {");
    first_row = false;
    for (size_t a = 0; a < results.allocators.size(); ++a) {
      std::vector<std::pair<std::string, std::string>> medians;
      for (const size_t figure : results.figures) {
        medians.emplace_back(kFigures[figure].key, JsonNumber(results.Median(row, a, figure)));
      }
      absl::StrAppend(&json, a == 0 ? "\n  " : ",\n  ", JsonString(results.allocators[a].name),
                      ": {\"median\": ", object(medians), ", \"samples\": [");
      for (size_t i = 0; i < row.samples[a].size(); ++i) {
        const BenchSample& sample = row.samples[a][i];
        std::vector<std::pair<std::string, std::string>> values;
        for (const size_t figure : results.figures) {
          values.emplace_back(kFigures[figure].key, JsonNumber(sample.values[figure]));
        }
        values.emplace_back("disturbed", sample.disturbed ? "true" : "false");
        values.emplace_back("error", sample.error.empty() ? "null" : JsonString(sample.error));
        absl::StrAppend(&json, i == 0 ? "" : ", ", object(values));
      }
      absl::StrAppend(&json, "]}");
    }
    absl::StrAppend(&json, "}}");
  }
  return json + "\n]\n}\n";
}

absl::Status WriteReports(const std::string& directory, const BenchResults& results,
                          const BenchConditions& conditions) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return absl::InternalError(absl::StrCat("cannot make ", directory, ": ", error.message()));
  }
  const fs::path base(directory);
  if (absl::Status s = WriteFile(base / "results.csv", CsvReport(results)); !s.ok()) return s;
  if (absl::Status s = WriteFile(base / "results.json", JsonReport(results, conditions)); !s.ok()) {
    return s;
  }
  return WriteFile(base / "report.html", HtmlReport(results, conditions));
}

}  // namespace cma::tool
