#include "tool/malloc_report.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace cma::tool {
namespace {

struct Name {
  absl::string_view shown;
  absl::string_view symbol;
};

// One of each kind: an allocator that replaces one of a kind replaces them all.
constexpr Name kNames[] = {
    {"malloc", "malloc"},
    {"free", "free"},
    {"calloc", "calloc"},
    {"realloc", "realloc"},
    {"aligned_alloc", "aligned_alloc"},
    {"operator new", "_Znwm"},
    {"operator delete", "_ZdlPv"},
    {"sized delete", "_ZdlPvm"},
};

bool IsOfTheSystem(absl::string_view allocator) {
  return allocator == "glibc" || allocator == "libstdc++";
}

std::string WithAllocator(const LoadedFile& file) {
  const std::string allocator = AllocatorIn(file);
  return allocator.empty() ? file.path : absl::StrCat(file.path, " (", allocator, ")");
}

std::vector<absl::string_view> NamesIn(const LoadedFile& file) {
  std::vector<absl::string_view> names;
  for (const Name& name : kNames) {
    if (file.elf.exports.contains(name.symbol)) names.push_back(name.shown);
  }
  return names;
}

// Files that have some of the names too and are not what `bound` is: whoever is bound to them, by
// itself or by dlsym, gets another allocator.
void AddOtherDefiners(const std::vector<LoadedFile>& files, const LoadedFile* bound,
                      absl::string_view remark, std::string& text) {
  for (const LoadedFile& file : files) {
    const std::vector<absl::string_view> names = NamesIn(file);
    if (&file == bound || names.empty()) continue;
    absl::StrAppend(&text, "  ", WithAllocator(file), ": ", absl::StrJoin(names, ", "), remark,
                    "\n");
  }
}

// An allocator in the executable that does not bear the usual names: nobody can replace it.
void AddInnerAllocator(const LoadedFiles& files, std::string& text) {
  const LoadedFile& executable = files.searched.front();
  const std::string allocator = AllocatorIn(executable);
  if (allocator.empty() || allocator == "cma" || IsOfTheSystem(allocator)) return;
  absl::StrAppend(&text, "warning: ", executable.path, " has ", allocator,
                  " inside; what it allocates with that does not go to malloc\n");
}

}  // namespace

MallocReport ReportMalloc(const LoadedFiles& files) {
  MallocReport report = {true, ""};
  if (files.searched.empty()) return {false, "no file of it could be read\n"};
  if (files.searched.size() == 1 && files.searched.front().elf.symbols.empty()) {
    return {false, "it is linked statically and stripped: what is inside cannot be seen\n"};
  }
  const LoadedFile* const malloc_file = Definer(files, "malloc");
  if (malloc_file == nullptr) report.is_cma = false;
  for (const Name& name : kNames) {
    const LoadedFile* const file = Definer(files, name.symbol);
    absl::StrAppendFormat(&report.text, "%-16s %s\n", name.shown,
                          file != nullptr ? WithAllocator(*file) : "not there");
    if (file != nullptr && AllocatorIn(*file) != "cma") report.is_cma = false;
  }
  std::string others;
  AddOtherDefiners(files.searched, malloc_file, "", others);
  AddOtherDefiners(files.others, malloc_file, " (loaded later, for itself)", others);
  if (!others.empty()) absl::StrAppend(&report.text, "also defined by\n", others);
  AddInnerAllocator(files, report.text);
  for (const std::string& path : files.unreadable) {
    absl::StrAppend(&report.text, "warning: ", path, " cannot be read",
                    absl::EndsWith(path, " (deleted)") ? ": it was replaced since" : "", "\n");
  }
  return report;
}

}  // namespace cma::tool
