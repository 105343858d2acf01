# Everything that cma replaces is in the program, though the program refers to none of it.
. "$consumers/_cmake.sh"
build_with_cmake
./build/program || fail "strdup's block is not cma's"
readelf -d build/program | grep -c libcma >/dev/null && fail "it needs libcma.so"
defined=$(nm --defined-only build/program | awk '{ print $3 }')
for name in malloc free calloc realloc aligned_alloc mallinfo2 malloc_info __libc_memalign \
  _Znwm _ZdlPvm _ZnwmSt11align_val_t; do
  grep -qx "$name" <<<"$defined" || fail "the linker left $name out"
done
