#include "tool/program_file.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tool/elf_image.h"

namespace cma::tool {
namespace {

// As execvp(3) searches when PATH is unset.
constexpr char kDefaultPath[] = "/bin:/usr/bin";

// How many interpreters of interpreters the kernel follows.
constexpr int kMaxInterpreters = 4;

// Why `path` cannot be executed, as an errno; 0 if it can.
int ExecutionError(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EACCES;
  return access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

std::vector<std::string> Candidates(absl::string_view name) {
  if (absl::StrContains(name, '/')) return {std::string(name)};
  std::vector<std::string> candidates;
  if (name.empty()) return candidates;
  const char* path = std::getenv("PATH");
  for (const absl::string_view directory :
       absl::StrSplit(path != nullptr ? path : kDefaultPath, ':')) {
    candidates.push_back(directory.empty() ? absl::StrCat("./", name)
                                           : absl::StrCat(directory, "/", name));
  }
  return candidates;
}

// True if executing it changes user, group or capabilities: the loader then trusts no LD_PRELOAD.
bool RaisesPrivileges(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  const bool sets_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != getuid();
  const bool sets_group = (status.st_mode & S_ISGID) != 0 && status.st_gid != getgid();
  const bool has_capabilities =
      getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
  return sets_user || sets_group || has_capabilities;
}

// The interpreter in a script's first line; empty if the file is not a script with one.
std::string Interpreter(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[2] = {};
  if (!file.read(magic, sizeof magic) || std::memcmp(magic, "#!", sizeof magic) != 0) return "";
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  return words.empty() ? "" : words.front();
}

std::string BinaryObstacle(const std::string& path) {
  if (RaisesPrivileges(path)) {
    return "runs with raised privileges, so the dynamic loader ignores LD_PRELOAD";
  }
  switch (ReadElfKind(path)) {
    case ElfKind::kStatic:
      return "is statically linked, so LD_PRELOAD does not reach it";
    case ElfKind::kOtherMachine:
      return "is built for another kind of machine than libcma.so";
    case ElfKind::kDynamic:
      if (DefinesFunction(path, "malloc")) {
        return "has a malloc of its own inside, which comes before one that is preloaded";
      }
      return "";
    case ElfKind::kNotElf:
      return "";
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> FindProgram(absl::string_view name) {
  int worst = ENOENT;
  for (const std::string& candidate : Candidates(name)) {
    const int error = ExecutionError(candidate);
    if (error == 0) return candidate;
    if (error != ENOENT && error != ENOTDIR) worst = error;
  }
  if (worst == ENOENT) {
    return absl::NotFoundError(absl::StrCat("cannot run '", name, "': no such program"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat("cannot run '", name, "': ", std::strerror(worst)));
}

std::string ExecutedBinary(const std::string& path) {
  std::string binary = path;
  for (int depth = 0; depth < kMaxInterpreters; ++depth) {
    const std::string interpreter = Interpreter(binary);
    if (interpreter.empty()) break;
    binary = interpreter;
  }
  return binary;
}

std::string PreloadObstacle(const std::string& path) {
  return BinaryObstacle(ExecutedBinary(path));
}

}  // namespace cma::tool
