#include "tool/exit_status.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"

namespace cma::tool {

void PrintError(absl::string_view message) {
  const std::string line = absl::StrCat("cma: ", message, "\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace cma::tool
