/* A C program whose plugin brings the C++ runtime along, where only the plugin sees it. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  void* const plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  int handled;
  if (plugin == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  handled = ((int (*)(void))dlsym(plugin, "AskForTooMuch"))();
  if (handled != 1) fprintf(stderr, "%d calls of the handler before std::bad_alloc\n", handled);
  return handled != 1;
}
