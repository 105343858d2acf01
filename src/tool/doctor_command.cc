#include "tool/doctor_command.h"

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tool/environment.h"
#include "tool/exit_status.h"
#include "tool/library_file.h"
#include "tool/malloc_report.h"
#include "tool/process_files.h"
#include "tool/program_file.h"
#include "tool/program_files.h"
#include "tool/system_facts.h"

namespace cma::tool {
namespace {

std::string Help() {
  return "usage: cma doctor [--lib PATH] PROGRAM|PID\n"
         "\n"
         "Says whose malloc, free, new and delete a process has, or PROGRAM would have under\n"
         "'cma run'; which other files define them; and what the system grants the process and\n"
         "what cma makes of that. PROGRAM is not run: the dynamic loader resolves its libraries.\n"
         "A number is a PID; write ./4711 for a program of that name.\n"
         "\n"
         "  --lib PATH   as in 'cma run'\n"
         "\n"
         "Exit status: 0 cma is in use, or would be; 1 it is not; 2 wrong usage, or cma could not\n"
         "find out.\n";
}

struct Request {
  std::string library;  // --lib; empty: the one that belongs to this tool
  std::string subject;
};

absl::StatusOr<Request> Parse(Arguments arguments) {
  Request request;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view word = arguments[i];
    if (word == "--lib" && i + 1 < arguments.size()) {
      request.library = arguments[++i];
    } else if (absl::ConsumePrefix(&word, "--lib=")) {
      request.library = std::string(word);
    } else if (absl::StartsWith(word, "-")) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown flag '", word, "' ('cma help doctor' says more)"));
    } else if (!request.subject.empty()) {
      return absl::InvalidArgumentError("one program or process at a time");
    } else {
      request.subject = std::string(word);
    }
  }
  if (request.subject.empty()) {
    return absl::InvalidArgumentError("no program or process given: cma doctor PROGRAM|PID");
  }
  return request;
}

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

int Conclude(bool is_cma, absl::string_view yes, absl::string_view no) {
  Print(absl::StrCat("\n", is_cma ? yes : no, "\n"));
  return is_cma ? kExitSuccess : kExitFailure;
}

// A library that the process has and that may be cma, or whatever its malloc is; "" if there is
// none. What has another name was made by the process itself, at run time.
std::string UnreadableLibrary(const LoadedFiles& files) {
  for (const std::string& path : files.unreadable) {
    if (absl::StrContains(path, ".so")) return path;
  }
  return "";
}

absl::StatusOr<int> DiagnoseProcess(pid_t pid) {
  const absl::StatusOr<LoadedFiles> files = FilesOfProcess(pid);
  if (!files.ok()) return files.status();
  const MallocReport report = ReportMalloc(*files);
  const std::string options = VariableOfProcess(pid, "CMA_OPTIONS");
  Print(absl::StrCat("process ", pid, ": ",
                     files->searched.empty() ? "unknown" : files->searched.front().path, "\n\n",
                     report.text, "\n", SystemFacts(pid, options)));
  if (const std::string path = UnreadableLibrary(*files); !report.is_cma && !path.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot find out whether cma is in use: cannot read ", path, "; be root"));
  }
  return Conclude(report.is_cma, "cma is in use", "cma is not in use");
}

// A program that has cma linked in needs no preload.
absl::StatusOr<int> DiagnoseProgram(const Request& request) {
  const absl::StatusOr<std::string> program = FindProgram(request.subject);
  if (!program.ok()) return program.status();
  const std::string binary = ExecutedBinary(*program);
  Print(absl::StrCat("program ", *program,
                     binary != *program ? absl::StrCat(", run by ", binary) : "", "\n\n"));
  const std::string facts = SystemFacts(0, EnvironmentValue("CMA_OPTIONS"));
  const std::string preload(EnvironmentValue("LD_PRELOAD"));
  const absl::StatusOr<LoadedFiles> alone = FilesOfProgram(binary, preload);
  if (!alone.ok()) return alone.status();
  const MallocReport without = ReportMalloc(*alone);
  if (without.is_cma) {
    Print(absl::StrCat(without.text, "\n", facts));
    return Conclude(true, "cma is in use, also without 'cma run'", "");
  }
  if (const std::string obstacle = PreloadObstacle(*program); !obstacle.empty()) {
    Print(absl::StrCat(without.text, "\n", facts));
    return Conclude(false, "", absl::StrCat("cma would not be in use: the program ", obstacle));
  }
  const absl::StatusOr<std::string> library =
      request.library.empty() ? FindLibrary() : CheckLibrary(request.library);
  if (!library.ok()) return library.status();
  const absl::StatusOr<LoadedFiles> files = FilesOfProgram(binary, PreloadList(*library, preload));
  if (!files.ok()) return files.status();
  const MallocReport report = ReportMalloc(*files);
  Print(absl::StrCat(report.text, "\n", facts));
  return Conclude(report.is_cma, "cma would be in use under 'cma run'",
                  "cma would not be in use, not under 'cma run' either");
}

absl::StatusOr<int> Diagnose(Arguments arguments) {
  const absl::StatusOr<Request> request = Parse(arguments);
  if (!request.ok()) return request.status();
  pid_t pid = 0;
  if (absl::SimpleAtoi(request->subject, &pid)) return DiagnoseProcess(pid);
  return DiagnoseProgram(*request);
}

int Run(Arguments arguments) {
  const absl::StatusOr<int> status = Diagnose(arguments);
  if (status.ok()) return *status;
  std::fflush(stdout);
  PrintError(status.status().message());
  return kExitUsage;
}

}  // namespace

constexpr Command kDoctorCommand = {"doctor", "say whether a program or a process uses cma", &Help,
                                    &Run};

}  // namespace cma::tool
