#!/usr/bin/env bash
# python3 with PYTHONMALLOC=malloc, so that every object comes from malloc: records, JSON, strings,
# garbage collection. One op is one round over 8,000 records.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 4 "$@"
need python3
# The executable itself: what is found on the PATH may be a script that starts it.
python=$(python3 -c 'import sys; print(sys.executable)')
PYTHONMALLOC=malloc timed "$python" "$here/work.py" "$ops"
