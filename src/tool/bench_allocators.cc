#include "tool/bench_allocators.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "tool/library_file.h"
#include "tool/nearest_match.h"
#include "tool/package_version.h"

namespace cma::tool {
namespace {

struct Peer {
  absl::string_view name;
  absl::string_view library;
  absl::string_view package;  // Debian's
};

constexpr Peer kPeers[] = {
    {"jemalloc", "libjemalloc.so.2", "libjemalloc2"},
    {"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"},
    {"mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0"},
    {"tbbmalloc", "libtbbmalloc_proxy.so.2", "libtbbmalloc2"},
};

// The C library that this process uses.
std::string LibcPath() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&gnu_get_libc_version), &info) == 0) return {};
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(info.dli_fname, error);
  return error ? std::string(info.dli_fname) : path.string();
}

std::string FindPeer(absl::string_view library) {
  const std::filesystem::path own = std::filesystem::path(LibcPath()).parent_path();
  const std::filesystem::path directories[] = {own, "/usr" / own.relative_path(), "/usr/local/lib",
                                               "/usr/lib64", "/usr/lib"};
  std::error_code error;
  for (const std::filesystem::path& directory : directories) {
    const std::filesystem::path path = directory / std::string(library);
    if (std::filesystem::exists(path, error)) return path.string();
  }
  return {};
}

// A preloaded libc comes first in the search: programs that are linked to another allocator use the
// C library's then; in others it changes nothing.
std::vector<BenchAllocator> FindAll() {
  std::vector<BenchAllocator> found;
  if (const absl::StatusOr<std::string> cma = FindLibrary(); cma.ok())
    found.push_back({"cma", *cma});
  if (const std::string libc = LibcPath(); !libc.empty()) found.push_back({"glibc", libc});
  for (const Peer& peer : kPeers) {
    const std::string path = FindPeer(peer.library);
    if (!path.empty()) found.push_back({std::string(peer.name), path});
  }
  return found;
}

absl::Status NotThere(absl::string_view name, const std::vector<BenchAllocator>& all) {
  for (const Peer& peer : kPeers) {
    if (peer.name == name) {
      return absl::NotFoundError(absl::StrCat(name, " is not installed (", peer.library,
                                              "; Debian's package ", peer.package, ")"));
    }
  }
  std::vector<absl::string_view> names;
  for (const BenchAllocator& allocator : all) names.push_back(allocator.name);
  return absl::NotFoundError(
      absl::StrCat("no allocator is called '", name, "'", DidYouMean(name, names), "; there are ",
                   absl::StrJoin(names, ", "), ", and any other as name=/path.so"));
}

absl::StatusOr<std::vector<BenchAllocator>> Choose(const std::vector<std::string>& wanted) {
  const std::vector<BenchAllocator> all = FindAll();
  if (wanted.empty()) return all;
  std::vector<BenchAllocator> chosen;
  for (const std::string& text : wanted) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (std::any_of(chosen.begin(), chosen.end(),
                    [&name](const BenchAllocator& a) { return a.name == name; })) {
      return absl::InvalidArgumentError(absl::StrCat("--allocators names '", name, "' twice"));
    }
    if (equals != std::string::npos) {
      if (name.empty()) return absl::InvalidArgumentError("--allocators: no name before '='");
      const absl::StatusOr<std::string> library = CheckLibrary(text.substr(equals + 1));
      if (!library.ok()) return library.status();
      chosen.push_back({name, *library});
      continue;
    }
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&name](const BenchAllocator& a) { return a.name == name; });
    if (known == all.end()) return NotThere(name, all);
    chosen.push_back(*known);
  }
  return chosen;
}

}  // namespace

absl::StatusOr<std::vector<BenchAllocator>> FindAllocators(const std::vector<std::string>& wanted) {
  absl::StatusOr<std::vector<BenchAllocator>> chosen = Choose(wanted);
  if (!chosen.ok()) return chosen;
  for (BenchAllocator& allocator : *chosen) {
    allocator.version = allocator.name == "cma" ? CMA_VERSION : PackageVersion(allocator.library);
  }
  return chosen;
}

}  // namespace cma::tool
