#!/usr/bin/env bash
# cma-test: timeout=300
# Where a package is built with link-time optimisation, whatever asks for it, the library's objects hold
# code: operators.cc has names that may be missing, which do not survive it.
set -euo pipefail
[[ ${CMA_BUILD_TYPE:-} != Debug ]] || { echo "skipped: once, in a release build, is enough"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "lto_test: $1"
  exit 1
}

absl=$(sed -n 's/^absl_DIR:PATH=//p' "$CMA_BUILD_DIR/CMakeCache.txt")
cmake -S "$CMA_SOURCE_DIR" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -Dabsl_DIR="$absl" \
  -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_CXX_FLAGS=-flto -DCMA_BUILD_TOOL=OFF \
  -DCMA_BUILD_TESTS=OFF -DCMA_BUILD_BENCHMARKS=OFF >"$scratch/log" 2>&1 ||
  fail "configure: $(cat "$scratch/log")"
object=CMakeFiles/cma_front.dir/src/front/operators.cc.o
ninja -C "$scratch/build" "$object" >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
symbols=$(nm -C "$scratch/build/$object")
grep -q ' T operator new(unsigned long)$' <<<"$symbols" || fail "there is no operator new: $symbols"
grep -q ' w __cxa_begin_catch$' <<<"$symbols" || fail "the C++ runtime's names are not weak: $symbols"
sections=$(readelf -SW "$scratch/build/$object")
grep 'gnu\.lto' <<<"$sections" && fail "its code is left to the linker"
echo "lto_test: the library's objects hold code"
