#include "tool/run_request.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "options/option_value.h"
#include "options/options.h"
#include "report/text.h"
#include "tool/nearest_match.h"

namespace cma::tool {
namespace {

constexpr absl::string_view kFlags[] = {"--stats", "--lib", "--set"};

absl::Status UnknownOption(absl::string_view name) {
  std::vector<absl::string_view> names;
  for (const OptionInfo& option : kOptions) names.emplace_back(option.name);
  return absl::InvalidArgumentError(absl::StrCat("--set: no option is called '", name, "'",
                                                 DidYouMean(name, names),
                                                 " ('cma help run' lists all)"));
}

// `flag` is how the user has spelt it.
absl::Status CheckSetting(absl::string_view flag, absl::string_view setting) {
  const size_t equals = setting.find('=');
  if (equals == absl::string_view::npos || absl::StrContains(setting, ',')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set takes one name=value, not '", setting, "'"));
  }
  const absl::string_view name = setting.substr(0, equals);
  const absl::string_view value = setting.substr(equals + 1);
  const OptionInfo* option = FindOption(name.data(), name.size());
  if (option == nullptr) return UnknownOption(name);
  uint64_t ignored;
  if (ParseValue(*option, value.data(), value.size(), &ignored)) return absl::OkStatus();
  Text range;
  AddRange(range, *option);
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", name, " cannot be '", value,
                                                 "'; it takes ",
                                                 absl::string_view(range.data(), range.size())));
}

// Walks over the flags in front of the program.
class Parser {
 public:
  explicit Parser(Arguments arguments) : arguments_(arguments) {}

  absl::StatusOr<RunRequest> Parse() {
    while (next_ < arguments_.size() && arguments_[next_][0] == '-') {
      const absl::string_view flag = arguments_[next_++];
      if (flag == "--") break;
      if (const absl::Status status = ParseFlag(flag); !status.ok()) return status;
    }
    if (next_ == arguments_.size()) {
      return absl::InvalidArgumentError("no program given: cma run [FLAGS] -- PROGRAM ARGS...");
    }
    request_.program = arguments_.data() + next_;
    return request_;
  }

 private:
  absl::Status ParseFlag(absl::string_view flag) {
    const size_t equals = flag.find('=');
    const absl::string_view name = flag.substr(0, equals);
    if (name == "--stats") {
      const bool bare = equals == absl::string_view::npos;
      return Set("--stats", absl::StrCat("stats=", bare ? "text" : flag.substr(equals + 1)));
    }
    if (name != "--lib" && name != "--set") {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown flag '", flag, "'", DidYouMean(name, kFlags), " ('cma help run' lists all)"));
    }
    if (equals != absl::string_view::npos) return Take(name, flag.substr(equals + 1));
    if (next_ == arguments_.size()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    }
    return Take(name, arguments_[next_++]);
  }

  absl::Status Take(absl::string_view name, absl::string_view value) {
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    if (name == "--lib") {
      request_.library = std::string(value);
      return absl::OkStatus();
    }
    return Set("--set", value);
  }

  absl::Status Set(absl::string_view flag, absl::string_view setting) {
    request_.settings.emplace_back(setting);
    return CheckSetting(flag, setting);
  }

  Arguments arguments_;
  size_t next_ = 0;
  RunRequest request_;
};

}  // namespace

absl::StatusOr<RunRequest> ParseRunRequest(Arguments arguments) {
  return Parser(arguments).Parse();
}

}  // namespace cma::tool
