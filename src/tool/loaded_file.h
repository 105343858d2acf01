// The files that a process consists of, and which of them a name is bound to.
#ifndef CMA_TOOL_LOADED_FILE_H_
#define CMA_TOOL_LOADED_FILE_H_

#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tool/elf_file.h"

namespace cma::tool {

struct LoadedFile {
  std::string path;
  ElfFile elf;
  std::string place = {};  // where it can be read, if that is not its path
};

struct LoadedFiles {
  std::vector<LoadedFile> searched;     // executable first, in the loader's order
  std::vector<LoadedFile> others;       // loaded by dlopen: only searched on demand
  std::vector<std::string> unreadable;  // not found, or replaced since
};

// Sorts the files of a process as the loader searches them: the executable, what is preloaded
// (names or paths), then what is needed, breadth first. `files` has the executable first.
LoadedFiles InSearchOrder(std::vector<LoadedFile> files, std::span<const std::string> preloaded);

// The first of the searched files that exports `symbol`; nullptr if none does. In a file that is
// alone, linked statically, all that it defines counts.
const LoadedFile* Definer(const LoadedFiles& files, absl::string_view symbol);

// "cma", "glibc", "jemalloc" ...: the allocator whose code is in the file; empty if it is none that
// is known here.
std::string AllocatorIn(const LoadedFile& file);

}  // namespace cma::tool

#endif  // CMA_TOOL_LOADED_FILE_H_
