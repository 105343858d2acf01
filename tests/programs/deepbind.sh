#!/usr/bin/env bash
# A program that opens libraries with RTLD_DEEPBIND, as PHP does: their malloc is the program's.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need cc

# Far away: only its caller's RUNPATH leads to it.
mkdir "$scratch/far"
cat >"$scratch/second.c" <<'C'
int second(void) { return 2; }
C
cc -shared -fPIC -o "$scratch/far/libsecond.so" "$scratch/second.c"

cat >"$scratch/module.c" <<'C'
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
char *make(void) { return strcpy(malloc(100), "made by the module"); }
void destroy(char *text) { free(text); }
void *open_second(void) { return dlopen("libsecond.so", RTLD_NOW); }
C
# shellcheck disable=SC2016  # the loader expands $ORIGIN
cc -shared -fPIC -Wl,--enable-new-dtags '-Wl,-rpath,$ORIGIN/far' -o "$scratch/module.so" "$scratch/module.c"

cat >"$scratch/main.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **arguments) {
  void *const module = dlopen(arguments[1], RTLD_NOW | RTLD_DEEPBIND);
  if (count != 2 || module == NULL) return puts(dlerror()), 1;
  char *(*const make)(void) = (char *(*)(void))dlsym(module, "make");
  void (*const destroy)(char *) = (void (*)(char *))dlsym(module, "destroy");
  void *(*const open_second)(void) = (void *(*)(void))dlsym(module, "open_second");
  for (int i = 0; i < 1000; ++i) {
    free(make());
    destroy(strdup("made by the program"));
  }
  puts(open_second() != NULL ? "the module found its own" : dlerror());
  puts(dlopen("libno_such_library.so", RTLD_NOW | RTLD_DEEPBIND) == NULL ? dlerror() : "found?");
  void *const program = dlopen(NULL, RTLD_NOW);
  puts(program != NULL && dlsym(program, "malloc") != NULL ? "malloc is there" : "no malloc");
  return 0;
}
C
cc -o "$scratch/main" "$scratch/main.c"

expect_same modules "$scratch/main" "$scratch/module.so"
said=$(cat "$scratch/modules/cma.out")
[[ $said == *"the module found its own"* ]] || fail "the module's RUNPATH was not used: $said"

# As the C library does it, on request: the first block that comes from the other side is an invalid
# free here, or the end of the C library.
if CMA_OPTIONS=deepbind=1 with_cma "$scratch/main" "$scratch/module.so" >/dev/null 2>"$scratch/kept"; then
  fail "deepbind=1 changed nothing"
fi
