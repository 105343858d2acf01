#include "tool/version_command.h"

#include <cstdio>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tool/exit_status.h"
#include "tool/library_file.h"

namespace cma::tool {
namespace {

std::string Help() {
  return "usage: cma version\n\n"
         "Prints the version of this tool and the library that 'cma run' would preload.\n";
}

int Run(Arguments arguments) {
  if (!arguments.empty()) {
    PrintError(absl::StrCat("cma version: unexpected '", arguments.front(), "'"));
    return kExitUsage;
  }
  const absl::StatusOr<std::string> library = FindLibrary();
  std::printf("cma %s\nlibrary: %s\n", CMA_VERSION, library.ok() ? library->c_str() : "not found");
  return kExitSuccess;
}

}  // namespace

constexpr Command kVersionCommand = {"version", "print the version and where the library is", &Help,
                                     &Run};

}  // namespace cma::tool
