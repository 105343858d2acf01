#!/usr/bin/env bash
# libcma.so needs the C library and nothing else at run time; not even the loader by name, whose
# symbols (__rseq_offset and the like) older systems lack: refer to those weakly.
set -euo pipefail
expected=libc.so.6
needed=$(readelf -d "$CMA_LIB" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
if [[ ${needed% } != "$expected" ]]; then
  echo "needed_libs_test: $CMA_LIB needs '${needed% }', not '$expected'"
  exit 1
fi
echo "needed_libs_test: needs $expected only"
