#include "tool/bench_scenarios.h"

#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tool/nearest_match.h"
#include "tool/program_file.h"

namespace cma::tool {
namespace {

constexpr Scenario kScenarios[] = {
    {"thread_local_churn", "thread_local_churn", "", 60'000'000, 1,
     "private random churn, Pareto sizes 16 B to 8 KiB"},
    {"single_size_64", "single_size_loop", "--size 64", 120'000'000, 1, "one size in a loop: 64 B"},
    {"single_size_1024", "single_size_loop", "--size 1024", 120'000'000, 1,
     "one size in a loop: 1 KiB"},
    {"batch_order", "batch_order", "", 40'000'000, 1, "batches freed in several orders"},
    {"slot_churn", "slot_churn", "", 16'000'000, 1,
     "random slots, 8 B to 16 KiB, freed by any thread"},
    {"larson_server", "larson_server", "", 40'000'000, 1, "threads that inherit blocks and end"},
    {"producer_consumer", "producer_consumer", "", 20'000'000, 1,
     "every block dies on another thread"},
    {"thread_phases", "thread_phases", "", 6'000'000, 1, "threads that die while objects survive"},
    {"false_sharing_active", "false_sharing", "--mode active", 8'000'000, 2,
     "blocks of different threads in one line"},
    {"false_sharing_passive", "false_sharing", "--mode passive", 8'000'000, 2,
     "blocks handed out by one thread, reallocated by others"},
    {"large_churn", "large_churn", "", 160'000, 1, "blocks of 64 KiB to 1 MiB"},
    {"huge_blocks", "huge_blocks", "", 1'000, 1, "blocks of 5 to 25 MiB"},
    {"realloc_ladder", "realloc_ladder", "", 400'000, 1, "blocks that grow step by step"},
    {"ast_builder", "ast_builder", "", 10'000'000, 1, "trees of small nodes, as in a compiler"},
    {"json_store", "json_store", "", 300'000, 1, "documents of strings, maps and lists"},
    {"kv_store", "kv_store", "", 3'000'000, 1, "values of mixed size, eviction and expiry"},
    {"steady_random", "steady_random", "", 6'000'000, 1, "a large heap in steady random churn"},
    {"fragmentation_ager", "fragmentation_ager", "", 0, 1, "sizes drift, 5 % survive"},
    {"sparse_survivors", "sparse_survivors", "", 0, 1, "one block in 16 survives each phase"},
    {"latency_slot_churn", "latency", "--churn slot", 5'000'000, 1,
     "single malloc and free calls in slot_churn", ScenarioKind::kLatency},
    {"latency_thread_local", "latency", "--churn thread-local", 10'000'000, 1,
     "single malloc and free calls in thread_local_churn", ScenarioKind::kLatency},
    {"redis", "programs/redis.sh", "", 200'000, 0, "redis-server under redis-benchmark",
     ScenarioKind::kProgram, "redis-server redis-benchmark"},
    {"sqlite", "programs/sqlite.sh", "", 240'000, 0, "tables, joins and updates in memory",
     ScenarioKind::kProgram, "sqlite3"},
    {"gxx", "programs/gxx.sh", "", 50, 0, "g++ compiles a file of templates",
     ScenarioKind::kProgram, "g++"},
    {"python", "programs/python.sh", "", 8, 0, "python3 with PYTHONMALLOC=malloc",
     ScenarioKind::kProgram, "python3"},
    {"node", "programs/node.sh", "", 20, 0, "objects, JSON and buffers in node",
     ScenarioKind::kProgram, "node"},
    {"start_up", "programs/start_up.sh", "", 800, 0, "starts and ends of /bin/true",
     ScenarioKind::kProgram, "sh"},
};

constexpr char kLauncher[] = "run_measured";

}  // namespace

std::span<const Scenario> Scenarios() { return kScenarios; }

std::string MissingProgram(const Scenario& scenario) {
  for (const absl::string_view program : absl::StrSplit(scenario.needs, ' ', absl::SkipEmpty())) {
    if (!FindProgram(program).ok()) return std::string(program);
  }
  return {};
}

absl::StatusOr<std::vector<Scenario>> ChooseScenarios(const std::vector<std::string>& wanted) {
  std::vector<absl::string_view> names;
  std::vector<Scenario> chosen;
  for (const Scenario& scenario : kScenarios) {
    names.push_back(scenario.name);
    if (wanted.empty() && MissingProgram(scenario).empty()) chosen.push_back(scenario);
  }
  for (const std::string& name : wanted) {
    const Scenario* found = nullptr;
    for (const Scenario& scenario : kScenarios) {
      if (scenario.name == name) found = &scenario;
    }
    if (found == nullptr) {
      return absl::NotFoundError(absl::StrCat("no scenario is called '", name, "'",
                                              DidYouMean(name, names),
                                              " ('cma bench --list' lists all)"));
    }
    if (const std::string missing = MissingProgram(*found); !missing.empty()) {
      return absl::NotFoundError(
          absl::StrCat("scenario ", name, " needs ", missing, ", which is not installed"));
    }
    chosen.push_back(*found);
  }
  return chosen;
}

absl::StatusOr<std::string> FindBenchDirectory(const std::string& given) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> candidates;
  if (!given.empty()) {
    candidates.emplace_back(fs::absolute(given, error));
  } else {
    const fs::path own = fs::read_symlink("/proc/self/exe", error).parent_path();
    candidates = {own / "bench", own.parent_path() / "libexec" / "cma"};
  }
  for (const fs::path& directory : candidates) {
    if (fs::exists(directory / kLauncher, error)) return directory.string();
  }
  return absl::NotFoundError(absl::StrCat(
      "the benchmark programs are not in ", candidates.front().string(),
      "; build them (cmake --build --preset release), or name their directory with --bench-dir"));
}

}  // namespace cma::tool
