#!/usr/bin/env bash
# redis-server under redis-benchmark: strings of two sizes, lists, sets, hashes and sorted sets; then
# most keys are deleted. Only the server has the allocator, and the figures are the server's: RSS at
# rest is what its data and the deletions left. One op is one request of each kind.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 100000 "$@"
need redis-server redis-benchmark

readonly keys=100000
preload=${LD_PRELOAD-}
socket=$scratch/redis.sock

# No TCP port, and no file that outlives the run.
redis-server --port 0 --unixsocket "$socket" --daemonize no --save '' --appendonly no \
  --dir "$scratch" </dev/null >"$scratch/log" 2>&1 &
server=$!
cleanup() {
  kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
unset LD_PRELOAD # from here on nobody else has it

fail() {
  echo "redis.sh: $*" >&2
  exit 1
}

for ((i = 0; i < 200; ++i)); do
  [[ -S $socket ]] && break
  kill -0 "$server" 2>/dev/null || fail "the server has ended: $(tail -n 1 "$scratch/log")"
  sleep 0.05
done
[[ -S $socket ]] || fail "the server does not answer"
if [[ -n $preload ]]; then
  grep -qF "$(realpath "$preload")" "/proc/$server/maps" || fail "the server has not mapped $preload"
fi

send() {
  redis-benchmark -s "$socket" -q -P 16 -r "$keys" -n "$ops" "$@" >"$scratch/benchmark" 2>&1 ||
    fail "redis-benchmark: $(tail -n 1 "$scratch/benchmark")"
}

# status KEY: KiB of the server.
status() { sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$server/status"; }

start=$(now_us)
send -d 100 -t set,get,incr
send -d 1500 -t set,get
send -d 60 -t lpush,lpop,sadd,hset,zadd
send DEL key:__rand_int__
read -r -a stat < <(sed 's/.*) //' "/proc/$server/stat")
cpu=$(awk -v t=$((stat[11] + stat[12])) -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", t / hz }')
report "$start" "cpu_seconds=$cpu peak_rss_kib=$(status VmHWM)"
if [[ $rest_seconds != 0 ]]; then
  sleep "$rest_seconds"
  echo "rss_rest_kib=$(status VmRSS)"
fi
kill -0 "$server" 2>/dev/null || fail "the server has ended: $(tail -n 1 "$scratch/log")"
