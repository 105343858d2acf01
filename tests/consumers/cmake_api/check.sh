# cma_malloc() is there, and malloc remains the C library's.
. "$consumers/_cmake.sh"
build_with_cmake
./build/program || fail "see above"
defined=$(nm --defined-only build/program | awk '{ print $3 }')
grep -qx -e malloc -e free -e _Znwm <<<"$defined" && fail "it defines malloc, free or operator new"
readelf -d build/program | grep -c libcma >/dev/null && fail "it needs libcma.so"
:
