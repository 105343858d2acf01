#!/usr/bin/env bash
# Programs that do nothing: what an allocator adds to the start and the end of a process. One op is
# one run of /bin/true.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 400 "$@"
timed sh -c 'i=0; while [ $i -lt "$0" ]; do /bin/true; i=$((i + 1)); done' "$ops"
