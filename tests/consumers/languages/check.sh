# The header is clean, and the library works, in each language that programs are written in.
need pkg-config
flags=$(pkg-config --cflags --libs cma)
# build COMPILER STANDARD SOURCE
build() {
  # shellcheck disable=SC2086
  "$1" -std="$2" -pedantic -Wall -Wextra -Werror -O2 -I"$consumers" -o "program_$2" "$source/$3" \
    $flags -Wl,-rpath,"$libdir" || fail "$2 does not compile"
  "./program_$2" || fail "$2: operator new is not cma's"
}
build cc c99 program.c
build cc c11 program.c
build c++ c++14 program.cc
build c++ c++17 program.cc
build c++ c++20 program.cc
