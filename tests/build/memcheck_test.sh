#!/usr/bin/env bash
# memcheck finds faults in blocks of cma, to the byte: of cma_malloc() in programs that link cma in
# each form, and of malloc under the preload.
#
# cma-test: timeout=300
set -euo pipefail
build=${CMA_BUILD_DIR:?}
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed" >&2; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "memcheck_test: $*" >&2; cat "$scratch/err" >&2; exit 1; }

# memcheck STATUS COMMAND...: runs it; 9 is the status if memcheck has found a fault.
memcheck() {
  local expected=$1 status=0
  shift
  valgrind --leak-check=full --error-exitcode=9 "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [[ $status == "$expected" ]] || fail "$*: status $status, not $expected"
}
# says TEXT: memcheck has said so.
says() { grep -q "$1" "$scratch/err" || fail "memcheck does not say '$1'"; }

# check PROGRAM...
check() {
  memcheck 0 "$@" fine
  memcheck 9 "$@" overflow
  says 'is 0 bytes after a block of size 41 alloc'
}
check_all() {
  memcheck 0 "$@" fine
  says 'All heap blocks were freed'
  says 'ERROR SUMMARY: 0 errors'
  memcheck 9 "$@" leak
  says '41 bytes in 1 blocks are definitely lost'
  memcheck 9 "$@" overflow
  says 'is 0 bytes after a block of size 41 alloc'
  memcheck 9 "$@" overflow-in-heap
  says 'is 0 bytes after a block of size 41 alloc'
  memcheck 9 "$@" use-after-free
  says 'is 3 bytes inside a block of size 41 free'
  memcheck 9 "$@" uninitialised
  says 'uninitialised'
}

check_all "$build/tests/build_memcheck_api"
for form in static override shared; do
  check "$build/tests/build_memcheck_$form"
done

# Under the preload, a program that knows nothing of cma.
cat >"$scratch/faults.c" <<'C'
#include <stdlib.h>
int main(void) {
  volatile char* block = malloc(41);
  block[41] = 1;
  block = NULL;
  return 0;
}
C
if command -v cc >/dev/null; then
  cc -g -O0 -o "$scratch/faults" "$scratch/faults.c"
  export LD_PRELOAD=$build/libcma.so
  memcheck 9 "$scratch/faults"
  unset LD_PRELOAD
  says 'is 0 bytes after a block of size 41 alloc'
  says '41 bytes in 1 blocks are definitely lost'
  ! grep -q 'large range' "$scratch/err" || fail "the heap was set up for nothing"

  cat >"$scratch/fine.c" <<'C'
#include <errno.h>
#include <stdlib.h>
int main(void) {
  char* block = reallocarray(malloc(3), 5, 7);
  block[34] = 1;
  if (reallocarray(block, (size_t)-1, 2) != NULL || errno != ENOMEM) return 1;
  free(reallocarray(block, 50, 70));
  return 0;
}
C
  cc -g -O0 -D_GNU_SOURCE -o "$scratch/fine" "$scratch/fine.c"
  LD_PRELOAD=$build/libcma.so memcheck 0 "$scratch/fine"
  says 'ERROR SUMMARY: 0 errors'
fi
echo "memcheck_test: faults are found in each form"
