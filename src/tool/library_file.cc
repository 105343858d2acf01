#include "tool/library_file.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tool/elf_image.h"

namespace cma::tool {
namespace {

// The second is all there is where the files for development are not installed.
constexpr const char* kLibraryNames[] = {"libcma.so", "libcma.so.0"};

// Debian's directory for libraries of this machine's kind.
std::string MultiarchDirectory() {
  utsname machine{};
  uname(&machine);
  return absl::StrCat(machine.machine, "-linux-gnu");
}

std::vector<std::filesystem::path> CandidateDirectories(const std::filesystem::path& tool) {
  const std::filesystem::path own = tool.parent_path();
  const std::filesystem::path prefix = own.parent_path();
  return {own, prefix / "lib", prefix / "lib" / MultiarchDirectory(), prefix / "lib64"};
}

// The absolute form of a path, if LD_PRELOAD can name it.
absl::StatusOr<std::string> PreloadPath(const std::string& path) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).lexically_normal().string();
  if (!std::filesystem::is_regular_file(absolute, error) || access(absolute.c_str(), R_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("no readable library at '", path, "'"));
  }
  if (absolute.find_first_of(" :") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("LD_PRELOAD cannot name '", absolute,
                     "': its path has a space or a colon; copy the library elsewhere"));
  }
  return absolute;
}

}  // namespace

absl::StatusOr<std::string> FindLibrary() {
  std::error_code error;
  const std::filesystem::path tool = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::NotFoundError(absl::StrCat("/proc/self/exe: ", error.message()));
  for (const std::filesystem::path& directory : CandidateDirectories(tool)) {
    for (const char* name : kLibraryNames) {
      const std::filesystem::path library = directory / name;
      if (std::filesystem::exists(library, error)) return PreloadPath(library.string());
    }
  }
  return absl::NotFoundError(absl::StrCat(kLibraryNames[0], " is neither in ",
                                          tool.parent_path().string(),
                                          " nor in the lib directory beside it; build it, or name "
                                          "it with --lib PATH"));
}

absl::StatusOr<std::string> CheckLibrary(const std::string& path) {
  absl::StatusOr<std::string> library = PreloadPath(path);
  if (!library.ok()) return library;
  if (!IsSharedObject(*library)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", *library, "' is no shared library for this machine"));
  }
  if (!DefinesFunction(*library, "malloc") || !DefinesFunction(*library, "free")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", *library, "' defines no malloc and free: it is no allocator"));
  }
  return library;
}

}  // namespace cma::tool
