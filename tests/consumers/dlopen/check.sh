# A library that is loaded later, and was built without cma, gets cma's malloc too: from libcma.so,
# and from a program that has cma inside.
need pkg-config
cc -O2 -shared -fPIC -o plugin.so "$source/plugin.c" || fail "the plugin does not link"
flags=$(pkg-config --cflags --libs cma)
# shellcheck disable=SC2086
cc -O2 -I"$consumers" -o with_library "$source/program.c" $flags -Wl,-rpath,"$libdir" ||
  fail "does not link with libcma.so"
# Without -rdynamic: the linker exports what the libraries of the program refer to.
cc -O2 -I"$consumers" -I"$CMA_PREFIX/include" -o with_archive "$source/program.c" \
  -Wl,--whole-archive "$libdir/libcma.a" -Wl,--no-whole-archive || fail "does not link with libcma.a"
./with_library ./plugin.so || fail "with_library: see above"
./with_archive ./plugin.so || fail "with_archive: see above"
# A plugin in C++ in a C program: std::new_handler is called, and std::bad_alloc thrown.
c++ -O2 -shared -fPIC -o plugin_of_cxx.so "$source/plugin_of_cxx.cc" || fail "the C++ plugin does not link"
cc -O2 -o host_of_cxx "$source/host_of_cxx.c" || fail "the C++ plugin's host does not link"
LD_PRELOAD=$libdir/libcma.so ./host_of_cxx ./plugin_of_cxx.so || fail "host_of_cxx: see above"
