#!/usr/bin/env bash
# A pair of malloc and free that hits takes as many instructions of libcma.so as hit_path.txt says.
# A commit that changes a number writes the list anew and gives the reason.
#   hit_path_test.sh --update    writes the list anew from $CMA_BUILD_DIR
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${CMA_BUILD_DIR:-$root/build/release}
list=$root/tests/build/hit_path.txt

[[ $(uname -m) == x86_64 ]] || { echo "skipped: the numbers are those of x86-64" >&2; exit 77; }
[[ ${CMA_BUILD_TYPE:-Release} != Debug ]] ||
  { echo "skipped: the numbers are those of a release build" >&2; exit 77; }
readelf -p .comment "$build/libcma.so" | grep 'GCC: .* 12\.' >/dev/null ||
  { echo "skipped: the numbers are those of gcc 12" >&2; exit 77; }
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed" >&2; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# instructions KIND BYTES PAIRS: what the two functions and all that they call execute, in the whole
# process.
instructions() {
  LD_PRELOAD=$build/libcma.so valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --quiet \
    --toggle-collect=malloc --toggle-collect=free --toggle-collect='operator new(unsigned long)' \
    --toggle-collect='operator delete(void*, unsigned long)' \
    "$build/tests/build_hit_path" "$@" 2>"$scratch/err" || { cat "$scratch/err" >&2; exit 1; }
  sed -n 's/^totals: //p' "$scratch/out"
}

current=$(for case in 'malloc 16' 'malloc 64' 'malloc 1024' 'malloc 4096' 'sized-delete 64'; do
  few=$(instructions $case 1000)
  many=$(instructions $case 3000)
  echo "$case $(((many - few) / 2000))"
done)
if [[ ${1:-} == --update ]]; then
  printf '%s\n' "$current" >"$list"
  exit
fi
if ! difference=$(diff "$list" <(printf '%s\n' "$current")); then
  echo "hit_path_test: kind, bytes, instructions per pair; < as listed, > now"
  echo "$difference"
  exit 1
fi
echo "hit_path_test: as listed"
