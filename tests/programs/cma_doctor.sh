#!/usr/bin/env bash
# `cma doctor` tells programs and processes with cma from those without.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_TOOL:?is the path of the cma command}"
[[ -x $CMA_TOOL ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }
need cc perl

# expect STATUS TEXT ARGUMENTS...: the exit status, and a line of the output that matches TEXT.
expect() {
  local expected=$1 text=$2 status=0
  shift 2
  "$CMA_TOOL" doctor "$@" >"$scratch/out" 2>&1 || status=$?
  [[ $status == "$expected" ]] || fail "doctor $*: status $status, not $expected: $(cat "$scratch/out")"
  grep -E -- "$text" "$scratch/out" >/dev/null || fail "doctor $*: no '$text': $(cat "$scratch/out")"
}

# with_process NAME COMMAND...: runs a program that prints "ready" and then waits for input to end;
# its PID is in $pid until end_process.
with_process() {
  mkfifo "$scratch/hold"
  rm -f "$scratch/ready"
  "$@" <"$scratch/hold" >"$scratch/ready" &
  pid=$!
  exec 9>"$scratch/hold"
  wait_until 20 grep -q ready "$scratch/ready" || fail "$* did not start"
}
end_process() {
  exec 9>&-
  wait "$pid" || true
  rm "$scratch/hold"
}

# Programs.
expect 0 '^malloc +.*/libcma\.so.* \(cma\)$' sh
expect 0 '^cma would be in use' sh
expect 0 '^operator delete +.*\(cma\)$' --lib "$CMA_LIB" sh
expect 0 'libc\.so\.6 \(glibc\): malloc, free' sh
printf '#!/bin/sh\necho text\n' >"$scratch/script"
chmod +x "$scratch/script"
expect 0 "^program $scratch/script, run by /bin/sh" "$scratch/script"

printf 'int main(void) { return 0; }\n' >"$scratch/plain.c"
cc -static -o "$scratch/static" "$scratch/plain.c"
expect 1 'statically linked' "$scratch/static"
strip "$scratch/static"
expect 1 'stripped' "$scratch/static"

cc -o "$scratch/other" "$scratch/plain.c" -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
expect 2 "which is not glibc's" "$scratch/other"

printf '#include <stdlib.h>\nint main(void) { free(malloc(1)); return 0; }\nvoid* malloc(size_t n) { (void)n; return 0; }\nvoid free(void* p) { (void)p; }\n' \
  >"$scratch/own.c"
cc -rdynamic -o "$scratch/own" "$scratch/own.c"
expect 1 "^malloc +$scratch/own\$" "$scratch/own"
expect 1 '^cma would not be in use' "$scratch/own"

# With cma inside, found without a preload; stripped too; and its interface alone is not enough.
for form in shared override; do
  expect 0 "^cma is in use, also without" "$CMA_BUILD_DIR/tests/build_${form}_c"
done
cp "$CMA_BUILD_DIR/tests/build_override_c" "$scratch/stripped"
strip "$scratch/stripped"
expect 0 "^malloc +$scratch/stripped \(cma\)" "$scratch/stripped"
expect 0 "^cma would be in use" "$CMA_BUILD_DIR/tests/build_api_c"

# Processes.
with_process perl -e '$| = 1; print "ready\n"; <STDIN>;'
expect 1 '^malloc +.*libc\.so\.6 \(glibc\)$' "$pid"
expect 1 '^cma is not in use' "$pid"
end_process

with_process "$CMA_TOOL" run --set arenas=3 -- perl -e '$| = 1; print "ready\n"; <STDIN>;'
expect 0 '^malloc +.*/libcma\.so.* \(cma\)$' "$pid"
expect 0 '^arenas +3: as the option' "$pid"
expect 0 '^cma is in use' "$pid"
end_process

# A program that writes its title over its environment.
with_process "$CMA_TOOL" run -- perl -e '$0 = "x" x 20000; $| = 1; print "ready\n"; <STDIN>;'
! tr '\0' '\n' <"/proc/$pid/environ" | grep -c '^LD_PRELOAD' >/dev/null ||
  echo "(this perl leaves its environment alone)"
expect 0 '^cma is in use' "$pid"
end_process

# A library that was replaced while a process uses it: root can read it all the same.
cp "$CMA_LIB" "$scratch/libcma.so.0"
with_process "$CMA_TOOL" run --lib "$scratch/libcma.so.0" -- perl -e '$| = 1; print "ready\n"; <STDIN>;'
cp "$CMA_LIB" "$scratch/new"
mv "$scratch/new" "$scratch/libcma.so.0"
range=$(sed -n 's/ r-xp .*libcma\.so\.0 (deleted)$//p' "/proc/$pid/maps")
if head -c 1 "/proc/$pid/map_files/$range" >/dev/null 2>&1; then
  expect 0 '^malloc +.*/libcma\.so.* \(cma\)$' "$pid"
  expect 0 '^cma is in use' "$pid"
  # Without that right, as other users are.
  without=$(command -v setpriv || true)
  without=${without:+$without --bounding-set=-sys_admin,-checkpoint_restore}
else
  without=env
fi
if [[ -n $without ]]; then
  tool=$CMA_TOOL
  printf '#!/bin/sh\nexec %s %q "$@"\n' "$without" "$tool" >"$scratch/tool"
  chmod +x "$scratch/tool"
  CMA_TOOL=$scratch/tool
  expect 2 'cannot find out .*/libcma\.so\.0 \(deleted\)' "$pid"
  CMA_TOOL=$tool
fi
end_process

# One that has ended, and whose parent has not asked how.
with_process perl -e '$| = 1; $child = fork // die; exit 0 if !$child; print "$child ready\n"; <STDIN>;'
child=$(sed 's/ ready//' "$scratch/ready")
wait_until 20 grep -q '^State:.Z' "/proc/$child/status" || fail "the child has not ended"
expect 2 'has no memory of its own' "$child"
end_process

# What the system grants.
for fact in 'page size' 'huge pages' 'page fault' overcommit 'address space' 'cgroup memory' rseq 'usable CPUs' \
  arenas; do
  expect 0 "^$fact +[^ ]" sh
done

# A limit of the address space decides about the map. It is 16 GiB, on AArch64 32 GiB.
expect_under() {
  local limit=$1 text=$2
  (ulimit -S -v $((limit << 20)) && expect 0 "^address space +$text" sh)
}
(ulimit -S -v unlimited && expect 0 '^address space +not limited: .* the map of (16|32) GiB$' sh)
expect_under 1024 '1048576 MiB: free\(\) looks blocks up in the map of (16|32) GiB$'
expect_under 256 '262144 MiB: free\(\) looks blocks up in the map of (16|32) GiB$'
expect_under 127 '130048 MiB: below (128|256) GiB the map of (16|32) GiB is left out'
expect_under 4 '4096 MiB: below .* looks blocks up in a slower table$'

# Wrong usage, and what cannot be found out.
expect 2 'no program or process' ''
expect 2 'unknown flag' --nonsense sh
expect 2 'no such program' "$scratch/there_is_no_such_program"
expect 2 'no process' 2147483646
if unshare -rm mount -t tmpfs none /proc 2>/dev/null; then
  status=0
  unshare -rm sh -c 'mount -t tmpfs none /proc && exec "$0" doctor 1' "$CMA_TOOL" \
    >"$scratch/out" 2>&1 || status=$?
  [[ $status == 2 ]] || fail "without /proc: status $status: $(cat "$scratch/out")"
  grep -q '/proc is not mounted' "$scratch/out" || fail "without /proc: $(cat "$scratch/out")"
fi
printf 'text' >"$scratch/text"
chmod +x "$scratch/text"
expect 2 'not an ELF file' "$scratch/text"

echo "cma doctor: fine"
