#include "tool/package_version.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace cma::tool {
namespace {

std::string Quoted(absl::string_view word) {
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

// First line of what the command prints; empty if it fails.
std::string FirstLineOf(const std::string& command) {
  FILE* const pipe = popen(absl::StrCat(command, " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return {};
  std::array<char, 512> line = {};
  const bool any = std::fgets(line.data(), line.size(), pipe) != nullptr;
  const bool good = pclose(pipe) == 0;
  return any && good ? std::string(absl::StripAsciiWhitespace(line.data())) : std::string();
}

// "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6" names the package up to the last colon.
std::string PackageOf(const std::string& path) {
  const std::string line = FirstLineOf(absl::StrCat("dpkg-query -S ", Quoted(path)));
  return line.substr(0, line.rfind(": "));
}

}  // namespace

std::string PackageVersion(const std::string& path) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return {};
  std::string package = PackageOf(real);
  // /lib is a link to /usr/lib; dpkg knows each file by the name under which it was packed.
  if (package.empty() && absl::StartsWith(real, "/usr/")) package = PackageOf(real.substr(4));
  if (package.empty()) return {};
  return FirstLineOf(absl::StrCat("dpkg-query -W -f '${Package} ${Version}\\n' ", Quoted(package)));
}

}  // namespace cma::tool
