# A program with Abseil inside: nothing is defined twice, for cma brings nothing of Abseil along.
. "$consumers/_cmake.sh"
build_with_cmake
for form in cma override; do
  "./build/program_$form" || fail "program_$form: the map is not in cma's memory"
done
for library in libcma.a libcma_api.a; do
  symbols=$(nm -C "$libdir/$library" 2>/dev/null | grep 'absl::') &&
    fail "$library has symbols of Abseil: $symbols"
done
:
