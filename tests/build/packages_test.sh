#!/usr/bin/env bash
# cpack makes Debian packages that hold what they should, and that work once they are unpacked.
set -euo pipefail
for program in cpack dpkg-deb dpkg-shlibdeps pkg-config; do
  command -v "$program" >/dev/null || { echo "skipped: $program is not installed" >&2; exit 77; }
done
[[ -e $CMA_BUILD_DIR/CPackConfig.cmake && -x $CMA_TOOL ]] ||
  { echo "skipped: this build makes no packages" >&2; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
faults=0
fault() {
  echo "packages_test: $1"
  faults=1
}

cpack --config "$CMA_BUILD_DIR/CPackConfig.cmake" -B "$scratch/packages" >"$scratch/log" 2>&1 ||
  { cat "$scratch/log"; exit 1; }
root=$scratch/root
# unpack PACKAGE FILE...: it has these files, and a copyright and a changelog.
unpack() {
  local package=$1 file contents
  local archives=("$scratch/packages/$package"_*.deb)
  shift
  [[ -e ${archives[0]} ]] || { fault "no package $package"; return; }
  contents=$(dpkg-deb --fsys-tarfile "${archives[0]}" | tar -t)
  for file in "$@" "share/doc/$package/copyright" "share/doc/$package/changelog.gz"; do
    grep -E "^\./usr/$file\$" <<<"$contents" >/dev/null || fault "$package has no $file: $contents"
  done
  dpkg-deb -x "${archives[0]}" "$root"
}
field() { dpkg-deb -f "$scratch/packages/$1"_*.deb "$2"; }

unpack libcma0 'lib/.*libcma\.so\.0'
unpack libcma-dev 'lib/.*libcma\.so' 'lib/.*libcma\.a' 'lib/.*libcma_api\.a' include/cma/cma.h \
  include/cma/cma.hpp 'lib/.*cma\.pc' 'lib/.*cma-api\.pc' 'lib/.*cmaConfig\.cmake' share/man/man3/cma.3.gz
unpack cma-tools bin/cma libexec/cma/run_measured libexec/cma/slot_churn \
  libexec/cma/programs/redis.sh share/man/man1/cma.1.gz share/man/man7/cma-options.7.gz
[[ $(field libcma0 Depends) =~ ^libc6\ \([^\)]*\)$ ]] ||
  fault "libcma0 depends on $(field libcma0 Depends)"
[[ $(field libcma-dev Depends) == "libcma0 (= "* ]] || fault "libcma-dev is free of libcma0"
[[ $(field cma-tools Depends) == *"libcma0 (>= "*libabsl*libstdc++6* ]] ||
  fault "cma-tools depends on $(field cma-tools Depends)"
[[ $faults == 0 ]] || exit 1

# The tool finds the library of its package, also without the files for development.
rm "$(find "$root/usr" -name libcma.so)"
said=$("$root/usr/bin/cma" run --stats -- bash -c exit 2>&1) || fault "cma run fails: $said"
[[ $said == *"cma: version "* ]] || fault "cma run ran without cma: $said"
said=$("$root/usr/bin/cma" bench --allocators cma --repeat 1 --rest-seconds 0 -- true 2>&1) ||
  fault "cma bench fails: $said"
said=$("$root/usr/bin/cma" version)
[[ $said == *"library: $root/usr/lib/"*"libcma.so.0" ]] || fault "$said"

[[ $faults == 0 ]] && echo "packages_test: libcma0, libcma-dev and cma-tools, as they should be"
exit $faults
