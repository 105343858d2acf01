#include "tool/environment.h"

#include <cstdlib>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace cma::tool {

std::string PreloadList(absl::string_view library, absl::string_view existing) {
  std::vector<absl::string_view> entries = {library};
  for (const absl::string_view entry :
       absl::StrSplit(existing, absl::ByAnyChar(" :"), absl::SkipEmpty())) {
    if (entry != library) entries.push_back(entry);
  }
  return absl::StrJoin(entries, ":");
}

std::string OptionList(absl::string_view existing, std::span<const std::string> added) {
  std::vector<absl::string_view> settings = absl::StrSplit(existing, ',', absl::SkipEmpty());
  settings.insert(settings.end(), added.begin(), added.end());
  return absl::StrJoin(settings, ",");
}

absl::string_view EnvironmentValue(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace cma::tool
