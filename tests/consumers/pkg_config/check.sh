# Plain make with what pkg-config says.
need pkg-config make
cp "$source"/* .
make PROOF="$consumers" >make.log 2>&1 || fail "$(cat make.log)"
[[ $(pkg-config --modversion cma) == "$CMA_VERSION" ]] || fail "version: $(pkg-config --modversion cma)"
readelf -d program | grep -c 'NEEDED.*\[libcma\.so\.0\]' >/dev/null || fail "it does not need libcma.so.0"
LD_LIBRARY_PATH=$libdir ./program || fail "see above"

# The interface alone.
# shellcheck disable=SC2046
cc -O2 -I"$consumers" -o program_api "$consumers/cmake_api/program.c" \
  $(pkg-config --cflags --libs cma-api) || fail "does not link with cma-api"
./program_api || fail "cma-api: see above"
