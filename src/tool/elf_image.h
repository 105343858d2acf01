// What the header of a program or a shared library says about how it is linked.
#ifndef CMA_TOOL_ELF_IMAGE_H_
#define CMA_TOOL_ELF_IMAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cma::tool {

enum class ElfKind {
  kNotElf,  // a script, or unreadable
  kDynamic,
  kStatic,        // asks for no dynamic loader
  kOtherMachine,  // other word size or processor than this tool
};

ElfKind ReadElfKind(const std::string& path);

// Whether it is a shared library, or laid out like one, for this machine.
bool IsSharedObject(const std::string& path);

// Whether the program or shared library defines the function for others.
bool DefinesFunction(const std::string& path, absl::string_view name);

}  // namespace cma::tool

#endif  // CMA_TOOL_ELF_IMAGE_H_
