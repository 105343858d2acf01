#include <dlfcn.h>

#include "proof.h"

typedef void* Make(size_t bytes);
typedef void Drop(void* block);

int main(int argc, char** argv) {
  size_t before;
  void* block;
  void* const plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (plugin == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  before = LiveBytes();
  block = ((Make*)dlsym(plugin, "MakeBlock"))(kProofBytes);
  if (LiveBytes() - before < kProofBytes) {
    fprintf(stderr, "the plugin's malloc is not cma's\n");
    return 1;
  }
  /* A block crosses the border both ways. */
  free(block);
  ((Drop*)dlsym(plugin, "DropBlock"))(malloc(100));
  dlclose(plugin);
  ProveMalloc(1);
  return 0;
}
