#!/usr/bin/env bash
# libcma.so defines exactly the names of exported_symbols.txt for others to link to.
#   exported_symbols_test.sh --update    writes the list anew from $CMA_LIB
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
library=${CMA_LIB:-$root/build/release/libcma.so}
list=$root/tests/build/exported_symbols.txt
export LC_ALL=C

exported=$(nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u)
if [[ ${1:-} == --update ]]; then
  printf '%s\n' "$exported" >"$list"
  exit
fi
if ! difference=$(diff <(sort -u "$list") <(printf '%s\n' "$exported")); then
  echo "exported_symbols_test: < should be exported and is not, > is exported and should not be"
  echo "$difference"
  exit 1
fi
echo "exported_symbols_test: $(wc -l <"$list") names, as listed"
