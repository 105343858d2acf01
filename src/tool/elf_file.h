// An ELF file as the dynamic loader sees it: what it is called, what it needs and what it offers.
#ifndef CMA_TOOL_ELF_FILE_H_
#define CMA_TOOL_ELF_FILE_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cma::tool {

struct ElfFile {
  std::string soname;
  std::string loader;  // that an executable asks for; empty: a library, or linked statically
  std::vector<std::string> needed;
  absl::flat_hash_set<std::string> exports;  // functions that other files can be bound to
  absl::flat_hash_set<std::string> symbols;  // all functions defined, as far as it is not stripped
};

// NotFound if there is no such file or it cannot be read, InvalidArgument if it is not ELF.
absl::StatusOr<ElfFile> ReadElfFile(const std::string& path);

// True if the bytes of the file hold `text`: what to look for in a stripped one.
bool FileHolds(const std::string& path, absl::string_view text);

}  // namespace cma::tool

#endif  // CMA_TOOL_ELF_FILE_H_
