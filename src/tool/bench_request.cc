#include "tool/bench_request.h"

#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tool/nearest_match.h"

namespace cma::tool {
namespace {

constexpr int kMostThreads = 4096;
constexpr int kMostRepeats = 1000;
constexpr double kMostSeconds = 86'400;

absl::Status BadValue(absl::string_view flag, absl::string_view value, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat(flag, " takes ", wanted, ", not '", value, "'"));
}

// A row would only be measured twice.
absl::Status Twice(absl::string_view flag, absl::string_view value) {
  return absl::InvalidArgumentError(absl::StrCat(flag, " names '", value, "' twice"));
}

absl::Status ParseNames(absl::string_view flag, absl::string_view value,
                        std::vector<std::string>& names) {
  for (const absl::string_view name : absl::StrSplit(value, ',')) {
    if (name.empty()) return BadValue(flag, value, "names with commas between them");
    if (absl::c_linear_search(names, name)) return Twice(flag, name);
    names.emplace_back(name);
  }
  return absl::OkStatus();
}

absl::Status ParseThreads(absl::string_view flag, absl::string_view value,
                          std::vector<int>& threads) {
  for (const absl::string_view text : absl::StrSplit(value, ',')) {
    int number = 0;
    if (!absl::SimpleAtoi(text, &number) || number < 1 || number > kMostThreads) {
      return BadValue(flag, value,
                      absl::StrCat("numbers from 1 to ", kMostThreads, " like 1,2,4"));
    }
    if (absl::c_linear_search(threads, number)) return Twice(flag, absl::StrCat(number));
    threads.push_back(number);
  }
  return absl::OkStatus();
}

absl::Status ParseSeconds(absl::string_view flag, absl::string_view value, double least,
                          double& seconds) {
  if (!absl::SimpleAtod(value, &seconds) || !(seconds >= least) || seconds > kMostSeconds) {
    return BadValue(flag, value, absl::StrCat("seconds from ", least, " to ", kMostSeconds));
  }
  return absl::OkStatus();
}

// Walks over the flags in front of the program.
class Parser {
 public:
  explicit Parser(Arguments arguments) : arguments_(arguments) {}

  absl::StatusOr<BenchRequest> Parse() {
    while (next_ < arguments_.size()) {
      const absl::string_view flag = arguments_[next_++];
      if (flag == "--") {
        if (next_ == arguments_.size()) {
          return absl::InvalidArgumentError("no program given after '--'");
        }
        request_.program = arguments_.data() + next_;
        break;
      }
      if (const absl::Status status = ParseFlag(flag); !status.ok()) return status;
    }
    if (request_.program != nullptr && !(request_.scenarios.empty() && request_.threads.empty())) {
      return absl::InvalidArgumentError(
          "--scenario and --threads are for the scenarios, not for a program of yours");
    }
    return request_;
  }

 private:
  absl::Status ParseFlag(absl::string_view flag) {
    if (flag == "--list") {
      request_.list = true;
      return absl::OkStatus();
    }
    const size_t equals = flag.find('=');
    const absl::string_view name = flag.substr(0, equals);
    absl::Status (Parser::*take)(absl::string_view) = Taker(name);
    if (take == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag.substr(0, 1) == "-" ? "unknown flag '" : "unexpected word '", flag, "'",
                       DidYouMean(name, kFlags), " ('cma help bench' lists all)"));
    }
    absl::string_view value;
    if (equals != absl::string_view::npos) {
      value = flag.substr(equals + 1);
    } else if (next_ < arguments_.size()) {
      value = arguments_[next_++];
    }
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    return (this->*take)(value);
  }

  static constexpr absl::string_view kFlags[] = {
      "--scenario", "--allocators",   "--threads", "--repeat", "--seconds",
      "--out",      "--rest-seconds", "--timeout", "--list",   "--bench-dir"};

  using Take = absl::Status (Parser::*)(absl::string_view);
  static Take Taker(absl::string_view name) {
    if (name == "--scenario") return &Parser::TakeScenarios;
    if (name == "--allocators") return &Parser::TakeAllocators;
    if (name == "--threads") return &Parser::TakeThreads;
    if (name == "--repeat") return &Parser::TakeRepeat;
    if (name == "--seconds") return &Parser::TakeSecondsPerRun;
    if (name == "--rest-seconds") return &Parser::TakeRestSeconds;
    if (name == "--timeout") return &Parser::TakeTimeout;
    if (name == "--out") return &Parser::TakeOut;
    if (name == "--bench-dir") return &Parser::TakeBenchDir;
    return nullptr;
  }

  absl::Status TakeScenarios(absl::string_view value) {
    if (value == "all") return absl::OkStatus();
    return ParseNames("--scenario", value, request_.scenarios);
  }
  absl::Status TakeAllocators(absl::string_view value) {
    if (value == "all") return absl::OkStatus();
    return ParseNames("--allocators", value, request_.allocators);
  }
  absl::Status TakeThreads(absl::string_view value) {
    return ParseThreads("--threads", value, request_.threads);
  }
  absl::Status TakeRepeat(absl::string_view value) {
    if (!absl::SimpleAtoi(value, &request_.repeat) || request_.repeat < 1 ||
        request_.repeat > kMostRepeats) {
      return BadValue("--repeat", value, absl::StrCat("a number from 1 to ", kMostRepeats));
    }
    return absl::OkStatus();
  }
  absl::Status TakeSecondsPerRun(absl::string_view value) {
    return ParseSeconds("--seconds", value, 0.001, request_.seconds);
  }
  absl::Status TakeRestSeconds(absl::string_view value) {
    return ParseSeconds("--rest-seconds", value, 0, request_.rest_seconds);
  }
  absl::Status TakeTimeout(absl::string_view value) {
    return ParseSeconds("--timeout", value, 1, request_.timeout_seconds);
  }
  absl::Status TakeOut(absl::string_view value) {
    request_.out = std::string(value);
    return absl::OkStatus();
  }
  absl::Status TakeBenchDir(absl::string_view value) {
    request_.bench_dir = std::string(value);
    return absl::OkStatus();
  }

  Arguments arguments_;
  size_t next_ = 0;
  BenchRequest request_;
};

}  // namespace

absl::StatusOr<BenchRequest> ParseBenchRequest(Arguments arguments) {
  return Parser(arguments).Parse();
}

}  // namespace cma::tool
