#include "tool/loaded_file.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/strip.h"

namespace cma::tool {
namespace {

// What stands in the text of a stripped file that has cma inside.
constexpr absl::string_view kMarkOfCma = "CMA_OPTIONS";

// A function that only this allocator defines.
struct Mark {
  absl::string_view symbol;
  absl::string_view allocator;
};

constexpr Mark kMarks[] = {
    {"je_malloc", "jemalloc"},
    {"_rjem_malloc", "jemalloc"},
    {"mallctl", "jemalloc"},
    {"mi_malloc", "mimalloc"},
    {"tc_malloc", "tcmalloc"},
    {"TCMallocInternalMalloc", "tcmalloc"},
    {"scalable_malloc", "tbbmalloc"},
    {"sn_malloc", "snmalloc"},
    {"rpmalloc", "rpmalloc"},
    {"gnu_get_libc_version", "glibc"},
    {"__libc_start_main", "glibc"},
    {"_ZSt15get_new_handlerv", "libstdc++"},
    {"__asan_init", "AddressSanitizer"},
};

// Not its interface alone.
bool DefinesMallocOfCma(const ElfFile& elf) {
  return elf.symbols.contains("cma_malloc") && elf.symbols.contains("malloc") &&
         elf.symbols.contains("cfree");
}

std::string BaseName(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

bool IsCalled(const LoadedFile& file, const std::string& name) {
  if (name == file.path || name == file.elf.soname) return true;
  const std::string path(absl::StripSuffix(file.path, " (deleted)"));  // what the kernel adds
  if (name.find('/') == std::string::npos) return name == BaseName(path);
  std::error_code error;
  return name == path || std::filesystem::equivalent(name, path, error);
}

// Takes files out of a list, by the names that others have for them.
class Picker {
 public:
  explicit Picker(std::vector<LoadedFile> files) : files_(std::move(files)) {}

  void Pick(const std::string& name, std::vector<LoadedFile>& out) {
    const auto file =
        absl::c_find_if(files_, [&](const LoadedFile& f) { return IsCalled(f, name); });
    if (file == files_.end()) return;
    out.push_back(std::move(*file));
    files_.erase(file);
  }

  std::vector<LoadedFile> TakeRest() { return std::move(files_); }

 private:
  std::vector<LoadedFile> files_;
};

}  // namespace

LoadedFiles InSearchOrder(std::vector<LoadedFile> files, std::span<const std::string> preloaded) {
  LoadedFiles result;
  if (files.empty()) return result;
  const std::string executable = files.front().path;
  Picker picker(std::move(files));
  picker.Pick(executable, result.searched);
  for (const std::string& name : preloaded) picker.Pick(name, result.searched);
  for (size_t i = 0; i < result.searched.size(); ++i) {
    const std::vector<std::string> needed = result.searched[i].elf.needed;
    for (const std::string& name : needed) picker.Pick(name, result.searched);
  }
  result.others = picker.TakeRest();
  return result;
}

const LoadedFile* Definer(const LoadedFiles& files, absl::string_view symbol) {
  const bool is_static = files.searched.size() == 1;
  for (const LoadedFile& file : files.searched) {
    if ((is_static ? file.elf.symbols : file.elf.exports).contains(symbol)) return &file;
  }
  return nullptr;
}

std::string AllocatorIn(const LoadedFile& file) {
  if (DefinesMallocOfCma(file.elf)) return "cma";
  for (const Mark& mark : kMarks) {
    if (file.elf.symbols.contains(mark.symbol)) return std::string(mark.allocator);
  }
  const std::string& place = file.place.empty() ? file.path : file.place;
  const bool is_cma = file.elf.exports.contains("malloc") && FileHolds(place, kMarkOfCma);
  return is_cma ? "cma" : "";
}

}  // namespace cma::tool
