#include "tool/run_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tool/environment.h"
#include "tool/exit_status.h"
#include "tool/library_file.h"
#include "tool/options_text.h"
#include "tool/program_file.h"
#include "tool/run_request.h"

namespace cma::tool {
namespace {

std::string Help() {
  constexpr absl::string_view kText =
      "usage: cma run [--stats[=text|json|prometheus]] [--set NAME=VALUE]... [--lib PATH] -- "
      "PROGRAM ARGS...\n"
      "\n"
      "Starts PROGRAM with cma as its malloc, by LD_PRELOAD, and so everything that it starts in\n"
      "turn. PROGRAM takes the place of this process: exit status, signals and terminal are its\n"
      "own.\n"
      "\n"
      "  --stats[=FORMAT]  print a summary of the heap on stderr when a process ends\n"
      "  --set NAME=VALUE  set an option, after those that stand in CMA_OPTIONS\n"
      "  --lib PATH        preload this library instead of the libcma.so beside this tool\n"
      "\n"
      "Exit status: that of PROGRAM; 125 cma could not set it up, 126 PROGRAM cannot be\n"
      "executed, 127 PROGRAM was not found.\n"
      "\n"
      "Options, with their defaults:\n";
  return absl::StrCat(kText, OptionsPlain());
}

int Fail(const absl::Status& status, int exit_status) {
  PrintError(status.message());
  return exit_status;
}

void SetEnvironment(const std::string& library, const RunRequest& request) {
  const std::string preload = PreloadList(library, EnvironmentValue("LD_PRELOAD"));
  setenv("LD_PRELOAD", preload.c_str(), 1);
  if (request.settings.empty()) return;
  const std::string options = OptionList(EnvironmentValue("CMA_OPTIONS"), request.settings);
  setenv("CMA_OPTIONS", options.c_str(), 1);
}

void WarnOfObstacle(absl::string_view name, const std::string& path) {
  const std::string obstacle = PreloadObstacle(path);
  if (obstacle.empty()) return;
  PrintError(absl::StrCat("warning: '", name, "' ", obstacle, "; it keeps its own malloc"));
}

// Returns only if the kernel refuses the program.
int Execute(const std::string& path, char* const* argv) {
  execvp(path.c_str(), argv);  // not execv: a script without a first line goes to the shell
  const int error = errno;
  const char* reason = error == ENOENT ? "its interpreter does not exist" : std::strerror(error);
  PrintError(absl::StrCat("cannot run '", argv[0], "': ", reason));
  return kExitNotExecutable;
}

int Run(Arguments arguments) {
  const absl::StatusOr<RunRequest> request = ParseRunRequest(arguments);
  if (!request.ok()) return Fail(request.status(), kExitRunFailed);

  const absl::StatusOr<std::string> library =
      request->library.empty() ? FindLibrary() : CheckLibrary(request->library);
  if (!library.ok()) return Fail(library.status(), kExitRunFailed);

  const char* name = request->program[0];
  const absl::StatusOr<std::string> program = FindProgram(name);
  if (absl::IsNotFound(program.status())) return Fail(program.status(), kExitNotFound);
  if (!program.ok()) return Fail(program.status(), kExitNotExecutable);

  WarnOfObstacle(name, *program);
  SetEnvironment(*library, *request);
  return Execute(*program, request->program);
}

}  // namespace

constexpr Command kRunCommand = {"run", "run a program with cma as its malloc", &Help, &Run};

}  // namespace cma::tool
