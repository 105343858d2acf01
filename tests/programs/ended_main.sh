#!/usr/bin/env bash
# A process is over when its last thread ends, also if its main thread has ended before: the thread
# that returns memory does not keep it, and is not the last one.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

for options in background_start_mib=8 release_delay_ms=86400000 profile=hardened; do
  for how in worker large_worker alone; do
    said=$(CMA_OPTIONS=$options LD_PRELOAD=$CMA_LIB timeout -s KILL 60 \
      "$CMA_TEST_PROGRAMS/ended_main" $how 2>&1) ||
      fail "with $options, $how: exit status $?: $said"
    expected=over
    [[ $how == alone ]] || expected=$'the worker ends\nover'
    [[ $said == "$expected" ]] || fail "with $options, $how: $said"
  done
done
