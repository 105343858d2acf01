#!/usr/bin/env bash
# Builds and checks one consumer of an installed cma, as a stranger's project would be.
#   CMA_PREFIX=DIR run.sh NAME       the current directory is its scratch; 77: skipped
#   CMA_PREFIX=DIR run.sh --install  installs $CMA_BUILD_DIR there
set -euo pipefail
consumers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${CMA_PREFIX:?is where cma is installed}"
unset LD_PRELOAD LD_LIBRARY_PATH CMA_OPTIONS

fail() {
  printf 'FAILED: %s: %s\n' "$name" "$*" >&2
  exit 1
}

# need PROGRAM...: skips the test if one is missing.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null && continue
    echo "skipped: $program is not installed" >&2
    exit 77
  done
}

name=$1
if [[ $name == --install ]]; then
  # Moved afterwards: nothing in it may say where it lies.
  rm -rf "$CMA_PREFIX" "$CMA_PREFIX.first"
  cmake --install "$CMA_BUILD_DIR" --prefix "$CMA_PREFIX.first" >/dev/null
  mv "$CMA_PREFIX.first" "$CMA_PREFIX"
  exit
fi

source=$consumers/$name
libdir=$(dirname "$(find "$CMA_PREFIX" -name libcma.a | head -n 1)")
[[ -e $libdir/libcma.so ]] || fail "no libcma.so in $CMA_PREFIX"
export PKG_CONFIG_PATH=$libdir/pkgconfig
find . -mindepth 1 -delete
. "$source/check.sh"
echo "$name: fine"
