#include "tool/program_files.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cma::tool {
namespace {

// The environment of this process with another LD_PRELOAD, for a loader that shall only list.
std::vector<std::string> LoaderEnvironment(const std::string& preload) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "LD_PRELOAD=")) variables.emplace_back(*variable);
  }
  variables.emplace_back("LD_TRACE_LOADED_OBJECTS=1");
  if (!preload.empty()) variables.push_back(absl::StrCat("LD_PRELOAD=", preload));
  return variables;
}

// Others, such as musl's, would run the program.
bool CanList(const std::string& loader) {
  const std::string name = std::filesystem::path(loader).filename().string();
  return absl::StartsWith(name, "ld-linux") || absl::StartsWith(name, "ld64.so");
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Starts `command` with its output, standard output and error, in a pipe; the end to read from, -1
// if that fails.
int Start(const std::vector<std::string>& command, const std::vector<std::string>& environment,
          pid_t& pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  const int error = posix_spawn(&pid, command[0].c_str(), &actions, nullptr,
                                Pointers(command).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error == 0) return ends[0];
  close(ends[0]);
  return -1;
}

absl::StatusOr<std::string> Output(const std::vector<std::string>& command,
                                   const std::vector<std::string>& environment) {
  pid_t pid = -1;
  const int fd = Start(command, environment, pid);
  if (fd < 0) return absl::InternalError(absl::StrCat("cannot start ", command[0]));
  std::string output;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR);) {
    if (n > 0) output.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return output;
  return absl::InternalError(
      absl::StrCat(command[0], " refuses it: ", absl::StripAsciiWhitespace(output)));
}

}  // namespace

std::vector<std::string> ParseLoaderList(absl::string_view list,
                                         std::vector<std::string>& missing) {
  std::vector<std::string> paths;
  for (absl::string_view line : absl::StrSplit(list, '\n')) {
    if (!absl::ConsumePrefix(&line, "\t")) continue;  // a message of the loader's
    const std::pair<absl::string_view, absl::string_view> sides =
        absl::StrSplit(line, absl::MaxSplits(" => ", 1));
    if (sides.second == "not found") {
      missing.emplace_back(sides.first);
      continue;
    }
    absl::string_view path = sides.second.empty() ? sides.first : sides.second;
    path = path.substr(0, path.find(" (0x"));
    if (absl::StartsWith(path, "/")) paths.emplace_back(path);  // what is not has no file: vdso
  }
  return paths;
}

absl::StatusOr<LoadedFiles> FilesOfProgram(const std::string& executable,
                                           const std::string& preload) {
  absl::StatusOr<ElfFile> elf = ReadElfFile(executable);
  if (!elf.ok()) return elf.status();
  const std::string loader = elf->loader;
  LoadedFiles files;
  files.searched.push_back({executable, *std::move(elf)});
  if (loader.empty()) return files;
  if (!CanList(loader)) {
    return absl::UnimplementedError(
        absl::StrCat("'", executable, "' is loaded by ", loader, ", which is not glibc's"));
  }

  const absl::StatusOr<std::string> list = Output({loader, executable}, LoaderEnvironment(preload));
  if (!list.ok()) return list.status();
  for (const std::string& path : ParseLoaderList(*list, files.unreadable)) {
    absl::StatusOr<ElfFile> library = ReadElfFile(path);
    if (library.ok()) {
      files.searched.push_back({path, *std::move(library)});
    } else {
      files.unreadable.push_back(path);
    }
  }
  return files;
}

}  // namespace cma::tool
