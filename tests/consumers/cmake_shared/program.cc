// Refers to no name of cma's and to no malloc: libcma.so is there because CMake was asked for it.
#include <dlfcn.h>

#include <cstdio>

#include "words.h"

int main() {
  void* const block = MakeBlock(1 << 20);
  // Through dlsym, so that the linker sees no reference.
  const auto usable = reinterpret_cast<unsigned long (*)(const void*)>(
      dlsym(RTLD_DEFAULT, "cma_malloc_usable_size"));
  Dl_info malloc_is_in = {};
  dladdr(dlsym(RTLD_DEFAULT, "malloc"), &malloc_is_in);
  if (usable == nullptr || usable(block) < (1 << 20)) {
    std::fprintf(stderr, "malloc is that of %s\n", malloc_is_in.dli_fname);
    return 1;
  }
  std::printf("malloc is that of %s\n", malloc_is_in.dli_fname);
}
