#!/usr/bin/env bash
# Compiled for a sanitizer that brings its own malloc, cma leaves that one in place: a program whose
# build adds -fsanitize to everything still finds its faults.
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
command -v c++ >/dev/null || { echo "skipped: there is no c++" >&2; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "sanitized_program_test: $*" >&2; exit 1; }

cat >"$scratch/fault.cc" <<'CC'
#include <cstdlib>
int main() {
  volatile char* block = static_cast<char*>(std::malloc(41));
  block[41] = 1;
  volatile char* other = new char[41];
  return other[41];
}
CC
compile=(c++ -std=c++20 -g -I"$root/src" -I"$root/include" -Wno-missing-declarations -fexceptions)
for kind in address thread; do
  for file in interpose operators; do
    "${compile[@]}" -fsanitize=$kind -c -o "$scratch/$file.o" "$root/src/front/$file.cc"
    ! nm "$scratch/$file.o" | grep -E ' [TW] (malloc|free|_Zn|_Zd)' ||
      fail "$file.cc has names of the sanitizer's under -fsanitize=$kind"
  done
done
for file in interpose operators; do
  "${compile[@]}" -fsanitize=address -c -o "$scratch/$file.o" "$root/src/front/$file.cc"
done
"${compile[@]}" -fsanitize=address -o "$scratch/fault" "$scratch/fault.cc" "$scratch/interpose.o" \
  "$scratch/operators.o"
status=0
"$scratch/fault" 2>"$scratch/err" || status=$?
[[ $status != 0 ]] || fail "nothing was found"
grep -q 'heap-buffer-overflow' "$scratch/err" || fail "$(cat "$scratch/err")"

"${compile[@]}" -c -o "$scratch/interpose.o" "$root/src/front/interpose.cc"
nm "$scratch/interpose.o" | grep ' T malloc$' >/dev/null || fail "malloc is missing without a sanitizer"
echo "sanitized_program_test: the sanitizer keeps its malloc"
