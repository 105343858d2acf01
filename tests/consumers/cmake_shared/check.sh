# libcma.so stays needed, under its soname, and in front of what else might define malloc.
. "$consumers/_cmake.sh"
build_with_cmake
needed=$(readelf -d build/program | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[[ $(head -n 1 <<<"$needed") == libcma.so.0 ]] || fail "needed libraries: $needed"
output=$(./build/program) || fail "$output"
[[ $output == *"/libcma.so.0" ]] || fail "$output"
