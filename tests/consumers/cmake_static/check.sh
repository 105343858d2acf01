# Executables without any shared library in which operator new throws.
. "$consumers/_cmake.sh"
build_with_cmake
for form in override static; do
  readelf -l "build/program_$form" | grep -c INTERP >/dev/null &&
    fail "program_$form asks for a dynamic loader"
  "./build/program_$form" || fail "program_$form: operator new did not throw"
done
