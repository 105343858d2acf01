#!/usr/bin/env bash
# sqlite3 in memory: inserts, indexes, a join, updates and deletes. One op is one row of the smaller
# of two tables.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 120000 "$@"
need sqlite3
sed "s/{rows}/$ops/g" "$here/work.sql" >"$scratch/work.sql"
timed sqlite3 :memory: ".read $scratch/work.sql"
