# cma-test: timeout=300
# A copy of cma inside of another project, under the same names, which installs nothing of its own.
. "$consumers/_cmake.sh"
build_with_cmake -DCMA_SOURCE_DIR="$(cd "$consumers/../.." && pwd)" -DCMAKE_BUILD_TYPE=Debug
for form in cma override static api; do
  "./build/program_$form" "$form" || fail "program_$form: see above"
done
cmake --install build --prefix installed >/dev/null
[[ ! -e installed ]] || fail "it installs $(find installed)"
