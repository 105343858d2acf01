#!/usr/bin/env bash
# redis-server under the load of redis-benchmark, with snapshots by forked children: what it holds
# in the end is the same.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need redis-server redis-benchmark redis-cli awk

server=
stop_server() {
  [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
  cleanup
}
trap stop_server EXIT

# The keys and values are those of the commands alone, not of chance.
commands() {
  awk 'BEGIN {
    for (i = 1; i <= 20000; ++i) {
      print "SET key:" i * 7919 % 15013 " " sprintf("%0" (i % 200 + 1) "d", i)
      print "HSET hash:" i % 500 " field:" i % 97 " value:" i
      print "RPUSH list:" i % 300 " element:" i
      print "ZADD sorted:" i % 100 " " i * 31 % 1009 " member:" i % 811
      if (i % 3 == 0) print "DEL key:" i * 7919 % 15013
      if (i % 5 == 0) print "APPEND text:" i % 50 " more:" i
    }
  }'
}

ask() { redis-cli -s "$socket" "$@"; }
snapshot_is_written() { [[ $(ask info persistence) == *rdb_bgsave_in_progress:0* ]]; }

# run_server [NAME=VALUE]...: prints what it holds in the end. Without a port: a socket of its own.
run_server() {
  local directory
  directory=$(mktemp -d "$scratch/server.XXXXXX")
  socket=$directory/socket
  env "$@" redis-server --port 0 --unixsocket "$socket" --dir "$directory" --save '' \
    --activedefrag no --enable-debug-command yes >"$directory/log" 2>&1 &
  server=$!
  wait_until 20 ask ping || fail "the server does not answer: $(tail -n 5 "$directory/log")"
  if [[ $* == *LD_PRELOAD* ]]; then
    grep -q '/libcma\.so' "/proc/$server/maps" || fail "libcma.so is not mapped by the server"
  fi
  redis-benchmark -s "$socket" -q -n 60000 -c 30 -P 8 -r 10000 -d 200 \
    -t set,get,incr,lpush,lpop,sadd,hset,zadd,mset >"$directory/benchmark" ||
    fail "redis-benchmark: $(tail -n 5 "$directory/benchmark")"
  ask bgsave >/dev/null
  redis-benchmark -s "$socket" -q -n 30000 -c 10 -P 8 -r 10000 -d 2000 -t set,get \
    >>"$directory/benchmark"
  wait_until 30 snapshot_is_written || fail "the forked child does not end"
  [[ $(ask info persistence) == *rdb_last_bgsave_status:ok* ]] || fail "the snapshot failed"
  ask flushall >/dev/null
  commands | ask >/dev/null
  ask debug digest
  ask dbsize
  ask shutdown nosave 2>/dev/null || true
  wait "$server" || fail "the server ended with status $?: $(tail -n 20 "$directory/log")"
  server=
}

run_server CMA_TEST=plain >"$scratch/plain.out"
run_server LD_PRELOAD="$CMA_LIB" >"$scratch/cma.out"
cmp "$scratch/plain.out" "$scratch/cma.out" || fail "$(diff "$scratch/plain.out" "$scratch/cma.out")"
grep -q '^[0-9a-f]\{40\}$' "$scratch/cma.out" || fail "no digest: $(cat "$scratch/cma.out")"
echo "redis: $(tr '\n' ' ' <"$scratch/cma.out")"
