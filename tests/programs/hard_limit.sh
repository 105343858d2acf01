#!/usr/bin/env bash
# CMA_OPTIONS=hard_limit: a program that wants more is refused, one that does not is not.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_LIB:?is the path of libcma.so}"
command -v perl >/dev/null || { echo "skipped: perl is not installed" >&2; exit 77; }
program='my $x = "a" x 60_000_000; print length $x'

[[ $(CMA_OPTIONS=hard_limit=256m LD_PRELOAD=$CMA_LIB perl -e "$program") == 60000000 ]] ||
  fail "60 MB are refused under a limit of 256 MiB"
status=0
CMA_OPTIONS=hard_limit=32MiB,strict=1 LD_PRELOAD=$CMA_LIB perl -e "$program" \
  >"$scratch/out" 2>"$scratch/err" || status=$?
[[ $status != 0 && ! -s $scratch/out ]] || fail "60 MB are given out under a limit of 32 MiB"
grep -qi 'out of memory' "$scratch/err" || fail "not perl's own message: $(cat "$scratch/err")"

# In percent: whatever the memory here is, 100% of it are enough for this.
[[ $(CMA_OPTIONS=hard_limit=100%,strict=1 LD_PRELOAD=$CMA_LIB perl -e 'print "fine"') == fine ]] ||
  fail "nothing works under hard_limit=100%"
status=0
CMA_OPTIONS=hard_limit=1k,strict=1 LD_PRELOAD=$CMA_LIB perl -e 'print "fine"' \
  >"$scratch/out" 2>"$scratch/err" || status=$?
[[ $status == 134 ]] || fail "status $status, not that of an abort, with a limit of 1 KiB and strict=1"
grep -q 'it takes 0, 16MiB to' "$scratch/err" || fail "the range is not named: $(cat "$scratch/err")"
echo "hard_limit: fine"
