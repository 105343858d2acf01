#!/usr/bin/env bash
# node: objects to JSON and back, and buffers, which come from malloc. One op is one round over
# 6,000 objects.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 10 "$@"
need node
timed node "$here/work.js" "$ops"
