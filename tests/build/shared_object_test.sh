#!/usr/bin/env bash
# How libcma.so was linked: it stays loaded, is bound at once, and uses two words of static TLS.
set -euo pipefail
faults=0
fault() {
  echo "shared_object_test: $1"
  faults=1
}
dynamic=$(readelf -dW "$CMA_LIB")
segments=$(readelf -lW "$CMA_LIB")

grep -q '(SONAME).*\[libcma\.so\.0\]' <<<"$dynamic" || fault "SONAME is not libcma.so.0"
grep -q '(FLAGS_1).*NODELETE' <<<"$dynamic" || fault "dlclose would unload it: no NODELETE"
grep -q 'BIND_NOW\|(FLAGS_1).* NOW' <<<"$dynamic" || fault "symbols are bound lazily: no BIND_NOW"
grep -q GNU_RELRO <<<"$segments" || fault "no RELRO segment"
grep -q TEXTREL <<<"$dynamic" && fault "it has text relocations"
grep -q 'GNU_STACK.* RWE' <<<"$segments" && fault "it asks for an executable stack"

# Little static TLS is left for libraries that are loaded with dlopen: cma uses a pointer
# and a counter. Debug builds also keep track of the locks a thread holds.
tls=$(awk '$1 == "TLS" { print strtonum($6) }' <<<"$segments" 2>/dev/null ||
  awk '$1 == "TLS" { print $6 }' <<<"$segments")
tls=$((${tls:-0}))
[[ ${CMA_BUILD_TYPE:-} == Debug ]] || ((tls <= 16)) || fault "it has $tls bytes of TLS, not 16 or less"
readelf -rW "$CMA_LIB" | grep -q 'DTPMOD\|TLSDESC' &&
  fault "it reaches its TLS through a call, not with the initial-exec model"

# Tables that are zero at first are no part of the file: the kernel maps pages of a file around the one
# that is touched, and those count as the program's memory.
data=$(size -A "$CMA_LIB" | awk '$1 == ".data" { print $2 }')
((data <= 20480)) || fault "it has $data bytes of .data, not 20 KiB or less"

# What a small program runs of it, and no more than that, is mapped in one piece of 64 KiB; what it does
# not run lies behind it (cmake/libcma.ld).
sections=$(readelf -SW "$CMA_LIB" | sed 's/^ *\[ *[0-9]*\]//')
if [[ ${CMA_IS_LAID_OUT:-1} == 1 ]]; then
  read -r start end < <(awk '$1 == ".init" { start = $3 } $1 == ".fini" { print start, $3 }' <<<"$sections")
  start=$((16#$start)) end=$((16#$end))
  ((start % 65536 == 0)) || fault "its code does not begin at a multiple of 64 KiB"
  ((end - start < 65536)) || fault "$((end - start)) bytes of code come before .text_seldom, 64 KiB or more"
  grep -q '^ \.text_seldom ' <<<"$sections" || fault "it has no .text_seldom"
fi

# `extern thread_local` without constinit: every access asks whether it must be initialised first.
nm -D "$CMA_LIB" | grep ' _ZTH' && fault "a thread_local above is declared without constinit"

[[ $faults == 0 ]] && echo "shared_object_test: as it should be, $tls bytes of TLS, $data of .data"
exit $faults
