#include "tool/process_files.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cma::tool {
namespace {

std::string Directory(pid_t pid) { return absl::StrCat("/proc/", pid); }

std::string ReadText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A name in a list of libraries to preload, as a path if it is one.
std::string Resolved(pid_t pid, absl::string_view name) {
  if (!absl::StrContains(name, '/')) return std::string(name);
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(
      std::filesystem::path(Directory(pid)) / "cwd" / std::string(name), error);
  return error ? std::string(name) : path.string();
}

// LD_PRELOAD and /etc/ld.so.preload under the process's root, in the order in which the loader takes them.
std::vector<std::string> Preloaded(pid_t pid) {
  const std::string text = absl::StrCat(VariableOfProcess(pid, "LD_PRELOAD"), " ",
                                        ReadText(Directory(pid) + "/root" + "/etc/ld.so.preload"));
  std::vector<std::string> names;
  for (const absl::string_view name :
       absl::StrSplit(text, absl::ByAnyChar(" :\t\n"), absl::SkipEmpty())) {
    names.push_back(Resolved(pid, name));
  }
  return names;
}

// Some programs write their title over their environment, so that LD_PRELOAD can no longer be read.
// The loader maps each library below the one before: what lies above the C library and is asked for
// by none was preloaded. `mapped` is in the order of addresses.
std::vector<std::string> AboveTheCLibrary(const std::vector<MappedFile>& mapped,
                                          const std::vector<LoadedFile>& others) {
  const auto libc = absl::c_find_if(
      mapped, [](const MappedFile& file) { return absl::StrContains(file.path, "/libc.so."); });
  std::vector<std::string> above;
  for (auto file = mapped.end(); file != libc && --file != libc;) {
    if (absl::c_any_of(others, [&](const LoadedFile& f) { return f.path == file->path; })) {
      above.push_back(file->path);
    }
  }
  return above;
}

// By what is mapped, which is for root alone, or by its name. The process may see another file
// system than this one: a container's.
absl::StatusOr<LoadedFile> Load(pid_t pid, const MappedFile& file) {
  absl::StatusOr<ElfFile> elf;
  for (const std::string& place : {absl::StrCat(Directory(pid), "/map_files/", file.range),
                                   absl::StrCat(Directory(pid), "/root", file.path), file.path}) {
    elf = ReadElfFile(place);
    if (elf.ok()) return LoadedFile{file.path, *std::move(elf), place};
    if (absl::IsInvalidArgument(elf.status())) break;  // no ELF
  }
  return elf.status();
}

// Why there is nothing to see of the process.
absl::Status Nothing(pid_t pid) {
  const std::string status = ReadText(Directory(pid) + "/status");
  if (!status.empty() && !absl::StrContains(status, "\nVmSize:")) {
    return absl::FailedPreconditionError(absl::StrCat(
        "process ", pid, " has no memory of its own: it is the kernel's, or has ended"));
  }
  return absl::PermissionDeniedError(
      absl::StrCat("may not look at process ", pid, ": be its user or root"));
}

}  // namespace

std::vector<MappedFile> ParseMaps(absl::string_view maps) {
  std::vector<MappedFile> files;
  for (const absl::string_view line : absl::StrSplit(maps, '\n', absl::SkipEmpty())) {
    // address permissions offset device inode path, the path after any number of spaces
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    if (words.size() < 6 || !absl::StrContains(words[1], 'x')) continue;
    const absl::string_view path = absl::StripLeadingAsciiWhitespace(words[5]);
    if (!absl::StartsWith(path, "/")) continue;
    if (absl::c_any_of(files, [&](const MappedFile& f) { return f.path == path; })) continue;
    files.push_back({std::string(path), std::string(words[0])});
  }
  return files;
}

std::string VariableOfProcess(pid_t pid, absl::string_view name) {
  const std::string environment = ReadText(Directory(pid) + "/environ");
  for (absl::string_view variable : absl::StrSplit(environment, '\0')) {
    if (absl::ConsumePrefix(&variable, name) && absl::ConsumePrefix(&variable, "=")) {
      return std::string(variable);
    }
  }
  return "";
}

absl::StatusOr<LoadedFiles> FilesOfProcess(pid_t pid) {
  std::error_code error;
  if (!std::filesystem::exists(Directory(pid), error)) {
    return std::filesystem::exists("/proc/self", error)
               ? absl::NotFoundError(absl::StrCat("there is no process ", pid))
               : absl::UnavailableError("processes cannot be looked at: /proc is not mounted");
  }
  const std::filesystem::path executable =
      std::filesystem::read_symlink(Directory(pid) + "/exe", error);
  const std::vector<MappedFile> mapped = ParseMaps(ReadText(Directory(pid) + "/maps"));
  if (error || mapped.empty()) return Nothing(pid);
  std::vector<LoadedFile> files;
  std::vector<std::string> unreadable;
  if (absl::StatusOr<ElfFile> elf = ReadElfFile(Directory(pid) + "/exe"); elf.ok()) {
    files.push_back({executable.string(), *std::move(elf), Directory(pid) + "/exe"});
  }
  for (const MappedFile& part : mapped) {
    if (part.path == executable.string()) continue;
    absl::StatusOr<LoadedFile> file = Load(pid, part);
    if (file.ok()) {
      files.push_back(*std::move(file));
    } else if (!absl::IsInvalidArgument(file.status())) {  // code that is not ELF: made at run time
      unreadable.push_back(part.path);
    }
  }
  std::vector<std::string> preloaded = Preloaded(pid);
  LoadedFiles result = InSearchOrder(files, preloaded);
  const std::vector<std::string> more = AboveTheCLibrary(mapped, result.others);
  if (!more.empty()) {
    preloaded.insert(preloaded.end(), more.begin(), more.end());
    result = InSearchOrder(std::move(files), preloaded);
  }
  result.unreadable = std::move(unreadable);
  return result;
}

}  // namespace cma::tool
