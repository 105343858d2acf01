#!/usr/bin/env bash
# A process is over when its last thread ends, also if its main thread has ended before: the thread
# that returns memory does not keep it.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

for options in background_start_mib=8 release_delay_ms=86400000 profile=hardened; do
  for early in "" early; do
    # shellcheck disable=SC2086  # no argument if there is none
    said=$(CMA_OPTIONS=$options LD_PRELOAD=$CMA_LIB timeout -s KILL 60 \
      "$CMA_TEST_PROGRAMS/ended_main" $early 2>&1) ||
      fail "with $options, $early: exit status $?: $said"
    [[ $said == "the worker ends" ]] || fail "with $options, $early: $said"
  done
done
