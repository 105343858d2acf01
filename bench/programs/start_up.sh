#!/usr/bin/env bash
# Programs that do nothing: what an allocator adds to the start and the end of a process. One op is
# one run of /bin/true.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 400 "$@"
start_all() {
  local i
  for ((i = 0; i < ops; ++i)); do /bin/true; done
}
timed start_all
