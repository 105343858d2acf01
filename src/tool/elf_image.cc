#include "tool/elf_image.h"

#include <elf.h>
#include <link.h>

#include <cstring>
#include <fstream>

namespace cma::tool {
namespace {

using FileHeader = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);

template <typename T>
bool ReadAt(std::ifstream& file, size_t offset, T& value) {
  file.seekg(static_cast<std::streamoff>(offset));
  return static_cast<bool>(file.read(reinterpret_cast<char*>(&value), sizeof value));
}

bool AsksForLoader(std::ifstream& file, const FileHeader& header) {
  for (size_t i = 0; i < header.e_phnum; ++i) {
    ProgramHeader segment{};
    if (!ReadAt(file, header.e_phoff + i * header.e_phentsize, segment)) return false;
    if (segment.p_type == PT_INTERP) return true;
  }
  return false;
}

bool SameMachineAsThisTool(const FileHeader& header) {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  FileHeader own{};
  if (!ReadAt(self, 0, own)) return true;
  return header.e_ident[EI_CLASS] == own.e_ident[EI_CLASS] && header.e_machine == own.e_machine;
}

}  // namespace

ElfKind ReadElfKind(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  FileHeader header{};
  if (!ReadAt(file, 0, header)) return ElfKind::kNotElf;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return ElfKind::kNotElf;
  if (!SameMachineAsThisTool(header)) return ElfKind::kOtherMachine;
  return AsksForLoader(file, header) ? ElfKind::kDynamic : ElfKind::kStatic;
}

}  // namespace cma::tool
