#include "tool/elf_file.h"

#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cma::tool {
namespace {

// An open file and libelf's view of it.
class OpenElf {
 public:
  explicit OpenElf(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) return;
    elf_version(EV_CURRENT);
    elf_ = elf_begin(fd_, ELF_C_READ_MMAP, nullptr);
  }
  ~OpenElf() {
    elf_end(elf_);
    if (fd_ >= 0) close(fd_);
  }
  OpenElf(const OpenElf&) = delete;
  OpenElf& operator=(const OpenElf&) = delete;

  bool is_open() const { return fd_ >= 0; }
  bool is_elf() const { return elf_ != nullptr && elf_kind(elf_) == ELF_K_ELF; }
  Elf* get() const { return elf_; }

 private:
  int fd_;
  Elf* elf_ = nullptr;
};

std::string Text(Elf* elf, size_t section, size_t offset) {
  const char* text = elf_strptr(elf, section, offset);
  return text != nullptr ? text : "";
}

void ReadLoader(Elf* elf, ElfFile& file) {
  size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return;
  for (size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) return;
    if (segment.p_type != PT_INTERP) continue;
    Elf_Data* data = elf_getdata_rawchunk(elf, static_cast<int64_t>(segment.p_offset),
                                          segment.p_filesz, ELF_T_BYTE);
    if (data == nullptr) return;
    const auto* name = static_cast<const char*>(data->d_buf);
    file.loader.assign(name, strnlen(name, data->d_size));
  }
}

void ReadDynamic(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, ElfFile& file) {
  Elf_Data* data = elf_getdata(section, nullptr);
  GElf_Dyn entry;
  for (int i = 0; gelf_getdyn(data, i, &entry) != nullptr && entry.d_tag != DT_NULL; ++i) {
    if (entry.d_tag == DT_NEEDED) {
      file.needed.push_back(Text(elf, header.sh_link, entry.d_un.d_val));
    } else if (entry.d_tag == DT_SONAME) {
      file.soname = Text(elf, header.sh_link, entry.d_un.d_val);
    }
  }
}

bool CanBeBound(const GElf_Sym& symbol) {
  const int binding = GELF_ST_BIND(symbol.st_info);
  const int visibility = GELF_ST_VISIBILITY(symbol.st_other);
  return (binding == STB_GLOBAL || binding == STB_WEAK) &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

void ReadSymbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, ElfFile& file) {
  Elf_Data* data = elf_getdata(section, nullptr);
  GElf_Sym symbol;
  for (int i = 0; gelf_getsym(data, i, &symbol) != nullptr; ++i) {
    const int type = GELF_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC)) continue;
    std::string name = Text(elf, header.sh_link, symbol.st_name);
    if (header.sh_type == SHT_DYNSYM && CanBeBound(symbol)) file.exports.insert(name);
    file.symbols.insert(std::move(name));
  }
}

}  // namespace

absl::StatusOr<ElfFile> ReadElfFile(const std::string& path) {
  const OpenElf open_elf(path);
  if (!open_elf.is_open()) {
    return absl::NotFoundError(absl::StrCat("cannot read '", path, "': ", std::strerror(errno)));
  }
  if (!open_elf.is_elf()) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not an ELF file"));
  }
  Elf* const elf = open_elf.get();
  ElfFile file;
  ReadLoader(elf, file);
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_DYNAMIC) ReadDynamic(elf, section, header, file);
    if (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) {
      ReadSymbols(elf, section, header, file);
    }
  }
  return file;
}

bool FileHolds(const std::string& path, absl::string_view text) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return absl::StrContains(bytes.str(), text);
}

}  // namespace cma::tool
