#include "tool/elf_image.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

namespace cma::tool {
namespace {

using FileHeader = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);

template <typename T>
bool ReadAt(std::ifstream& file, size_t offset, T& value) {
  file.seekg(static_cast<std::streamoff>(offset));
  return static_cast<bool>(file.read(reinterpret_cast<char*>(&value), sizeof value));
}

// False if the file is not ELF.
bool ReadHeader(std::ifstream& file, FileHeader& header) {
  return ReadAt(file, 0, header) && std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
}

// The dynamic symbols of a library, and the characters of their names.
struct DynamicSymbols {
  std::vector<ElfW(Sym)> symbols;
  std::string names;
};

std::string ReadSection(std::ifstream& file, const ElfW(Shdr) & section) {
  std::string bytes(section.sh_size, '\0');
  file.seekg(static_cast<std::streamoff>(section.sh_offset));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return file ? bytes : std::string();
}

DynamicSymbols ReadDynamicSymbols(std::ifstream& file, const FileHeader& header) {
  DynamicSymbols found;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    ElfW(Shdr) section{};
    ElfW(Shdr) names{};
    if (!ReadAt(file, header.e_shoff + i * header.e_shentsize, section)) break;
    if (section.sh_type != SHT_DYNSYM) continue;
    if (!ReadAt(file, header.e_shoff + section.sh_link * header.e_shentsize, names)) break;
    const std::string bytes = ReadSection(file, section);
    found.symbols.resize(bytes.size() / sizeof(ElfW(Sym)));
    std::memcpy(found.symbols.data(), bytes.data(), found.symbols.size() * sizeof(ElfW(Sym)));
    found.names = ReadSection(file, names);
  }
  return found;
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
  if (!ReadHeader(file, header)) return ElfKind::kNotElf;
  if (!SameMachineAsThisTool(header)) return ElfKind::kOtherMachine;
  return AsksForLoader(file, header) ? ElfKind::kDynamic : ElfKind::kStatic;
}

bool IsSharedObject(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  FileHeader header{};
  return ReadHeader(file, header) && header.e_type == ET_DYN && SameMachineAsThisTool(header);
}

bool DefinesFunction(const std::string& path, absl::string_view name) {
  std::ifstream file(path, std::ios::binary);
  FileHeader header{};
  if (!ReadHeader(file, header)) return false;
  const DynamicSymbols table = ReadDynamicSymbols(file, header);
  return std::any_of(table.symbols.begin(), table.symbols.end(), [&](const ElfW(Sym) & symbol) {
    return symbol.st_shndx != SHN_UNDEF && symbol.st_name < table.names.size() &&
           name == table.names.c_str() + symbol.st_name;
  });
}

}  // namespace cma::tool
