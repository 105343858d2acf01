# A program without any shared library, in C and in C++, linked as pkg-config --static says.
need pkg-config
flags=$(pkg-config --static --cflags --libs cma)
# shellcheck disable=SC2086
cc -O2 -static -I"$consumers" -o program_c "$source/program.c" $flags || fail "C does not link"
# shellcheck disable=SC2086
c++ -std=c++17 -O2 -static -I"$consumers" -o program_cc "$source/program.cc" $flags ||
  fail "C++ does not link"
for program in program_c program_cc; do
  readelf -l "$program" | grep -c INTERP >/dev/null && fail "$program asks for a dynamic loader"
  nm --defined-only "$program" | grep -c ' T _ZdlPvm$' >/dev/null || fail "$program has no operator delete of cma's"
  "./$program" || fail "$program: see above"
done
