#!/usr/bin/env bash
# cma-test: timeout=300
# The library builds for AArch64 without a warning and, where qemu can run programs of that kind,
# works there: linked statically, linked as a library, and preloaded. Skipped without the cross
# compiler (Debian: g++-aarch64-linux-gnu); qemu is in qemu-user.
set -euo pipefail
[[ ${CMA_BUILD_TYPE:-} != Debug ]] || { echo "skipped: once, in a release build, is enough"; exit 77; }
for program in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++; do
  command -v "$program" >/dev/null || { echo "skipped: no $program" >&2; exit 77; }
done
root=$CMA_SOURCE_DIR
unset LD_PRELOAD CMA_OPTIONS
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "aarch64_test: $1"
  exit 1
}

cat >"$scratch/toolchain.cmake" <<'EOF'
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
EOF
# Only headers of Abseil are used, which are the same for all processors.
absl=$(sed -n 's/^absl_DIR:PATH=//p' "$CMA_BUILD_DIR/CMakeCache.txt")
cmake -S "$root" -B "$scratch/build" -DCMAKE_TOOLCHAIN_FILE="$scratch/toolchain.cmake" \
  -DCMAKE_BUILD_TYPE=Release -Dabsl_DIR="$absl" -DCMA_BUILD_TOOL=OFF -DCMA_BUILD_TESTS=OFF \
  -DCMA_BUILD_BENCHMARKS=OFF >"$scratch/log" 2>&1 || fail "configure: $(cat "$scratch/log")"
cmake --build "$scratch/build" --parallel 2 >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
library=$scratch/build/libcma.so
readelf -h "$library" | grep -c AArch64 >/dev/null || fail "libcma.so is not for AArch64"
# As exported_symbols_test does for this machine.
CMA_LIB=$library bash "$root/tests/build/exported_symbols_test.sh"
echo "aarch64_test: it builds"

# run PROGRAM ARGUMENTS...: with the libraries of the cross compiler.
run() { "$qemu" -L /usr/aarch64-linux-gnu "$@"; }
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || exit 0
whole=(-Wl,--whole-archive "$scratch/build/libcma.a" -Wl,--no-whole-archive)
cd "$scratch"
compile=(-O2 "-I$root/include" -fno-builtin-malloc -fno-builtin-free)
aarch64-linux-gnu-gcc "${compile[@]}" -static -o static_c "$root/tests/build/linked_program.c" \
  "${whole[@]}"
aarch64-linux-gnu-g++ "${compile[@]}" -std=c++20 -o whole_cc "$root/tests/build/linked_program.cc" \
  "${whole[@]}"
aarch64-linux-gnu-gcc "${compile[@]}" -o shared_c "$root/tests/build/linked_program.c" \
  -Lbuild -lcma -Wl,-rpath,"$scratch/build"
aarch64-linux-gnu-g++ "${compile[@]}" -std=c++20 -I"$root/tests" -o mixed_stress \
  "$root/tests/stress/mixed_stress.cc"
run ./static_c override || fail "a static program in C fails"
run ./whole_cc override || fail "a program in C++ fails"
run ./shared_c shared || fail "a program with libcma.so fails"
said=$(run -E LD_PRELOAD="$library" -E CMA_OPTIONS=stats=1 ./mixed_stress --threads 4 --seconds 2 \
  2>&1) ||
  fail "mixed_stress fails: $said"
[[ $said == *"cma: version "* ]] || fail "mixed_stress ran without cma: $said"
echo "aarch64_test: it works under qemu"
