# shellcheck shell=bash
# Sourced by consumers that are built with CMake.

# build_with_cmake ARGUMENTS...: ./build from $source against the installed tree.
build_with_cmake() {
  cmake -S "$source" -B build -DCMAKE_PREFIX_PATH="$CMA_PREFIX" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF -DPROOF="$consumers" "$@" >configure.log 2>&1 ||
    fail "configure: $(cat configure.log)"
  cmake --build build --parallel 2 >build.log 2>&1 || fail "build: $(cat build.log)"
}
