#!/usr/bin/env bash
# cma beside glibc's malloc on two loads, redis-server and bench/kv_server: throughput, peak RSS,
# and RSS two seconds after the load, in one table. From a fresh Debian 12 machine with git and bash:
#
#   bash bench/demo.sh [--build-dir DIR]
#
# Installs the Debian packages that are missing, builds the preset "release" and measures; safe to
# repeat. --build-dir: measure the build in DIR, install and build nothing.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly repeats=3
readonly rest_seconds=2
readonly kv_seconds=5
readonly redis_load=(-t 'set,get,lpush,hset' -n 600000 -r 200000 -d 256 -c 50 -P 16)
readonly redis_tests=4

# What would change one side of the comparison only.
unset LD_PRELOAD CMA_OPTIONS GLIBC_TUNABLES "${!MALLOC_@}"

scratch=$(mktemp -d)
server=

die() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

say() { printf '\n== %s\n' "$*"; }

stop_server() {
  [[ -n $server ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

clean_up() {
  stop_server
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'echo "demo: line $LINENO failed: $BASH_COMMAND" >&2' ERR
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- set-up ----

install_and_build() {
  [[ $(uname -s) == Linux ]] || die "cma runs on Linux only"
  say "Install what is missing"
  # shellcheck source=SCRIPTDIR/../cmake/dependencies.sh
  . cmake/dependencies.sh
  cma_install_packages build demo || die "the Debian packages are needed to go on"
  say "Build (preset release)"
  # The tests are built by tests/run.sh.
  if ! cmake --preset release ||
    ! cmake --build --preset release --target cma_tool cma_shared kv_server; then
    die "the build failed; its messages are above"
  fi
}

# use_build DIR: sets tool, library, kv_server, redis_server and libc.
use_build() {
  local directory program
  directory=$(cd "$1" 2>/dev/null && pwd -P) || die "no build directory $1"
  for program in redis-server redis-benchmark redis-cli; do
    command -v "$program" >/dev/null || die "$program is not installed"
  done
  tool=$directory/cma
  library=$directory/libcma.so
  kv_server=$directory/bench/kv_server/kv_server
  for program in "$tool" "$library" "$kv_server"; do
    [[ -x $program ]] || die "no $program; build cma first"
  done
  redis_server=$(command -v redis-server)
  libc=$(ldd "$redis_server" | awk '$1 == "libc.so.6" { print $3 }')
  [[ -e $libc ]] || die "cannot tell which libc $redis_server uses"
}

# ---- one process under one malloc ----

# on MALLOC COMMAND...: replaces this process. Debian's redis-server is linked to jemalloc, and only
# a libc that is preloaded comes before that; kv_server is started in the same way.
on() {
  local malloc=$1
  shift
  case $malloc in
    glibc) exec env LD_PRELOAD="$libc" "$@" ;;
    cma) exec "$tool" run -- "$@" ;;
  esac
}

# read_kib FIELD: sets kib from the server's /proc/PID/status.
read_kib() {
  kib=$(awk -v field="$1:" '$1 == field { print $2 }' "/proc/$server/status" 2>/dev/null) || kib=
  [[ $kib =~ ^[0-9]+$ ]] || die "the measured process ended before its time"
}

# check_malloc MALLOC: the server has cma mapped if it should, and only then.
check_malloc() {
  local mapped=glibc
  if grep -qF "$library" "/proc/$server/maps"; then mapped=cma; fi
  [[ $mapped == "$1" ]] || die "process $server should run on $1 but has $mapped: /proc/PID/maps"
}

# record WORKLOAD MALLOC THROUGHPUT PEAK_KIB REST_KIB
record() {
  printf '%s %s %s %s %s\n' "$@" >>"$scratch/results"
  awk -v w="$1" -v m="$2" -v ops="$3" -v peak="$4" -v rest="$5" 'BEGIN {
    printf "  %-13s %-6s %9.0f ops/s, peak RSS %6.1f MiB, after %6.1f MiB\n",
      w, m, ops, peak / 1024, rest / 1024 }'
}

# ---- redis-server ----

redis() { redis-cli -s "$scratch/redis.sock" "$@"; }

start_redis() {
  local i
  # No TCP port, no files that outlive the run.
  (on "$1" "$redis_server" --port 0 --unixsocket "$scratch/redis.sock" --daemonize no --save '' \
    --appendonly no --dir "$scratch" >"$scratch/redis.log" 2>&1) &
  server=$!
  for ((i = 0; i < 100; i++)); do
    if [[ $(redis ping 2>/dev/null) == PONG ]]; then return; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  die "redis-server does not answer: $(tail -n 3 "$scratch/redis.log")"
}

run_redis() {
  local malloc=$1 kib peak throughput
  start_redis "$malloc"
  check_malloc "$malloc"
  redis-benchmark -s "$scratch/redis.sock" "${redis_load[@]}" --csv >"$scratch/load.csv" 2>&1 ||
    die "redis-benchmark failed: $(tail -n 3 "$scratch/load.csv")"
  # All requests over all seconds: each test has the same number of requests.
  throughput=$(awk -F '"' -v tests=$redis_tests '
    $2 != "test" && $4 > 0 { n++; seconds += 1 / $4 }
    END { if (n == tests) printf "%.0f\n", n / seconds }' "$scratch/load.csv")
  [[ -n $throughput ]] || die "redis-benchmark said: $(tail -n 3 "$scratch/load.csv")"
  read_kib VmHWM
  peak=$kib
  [[ $(redis flushall) == OK ]] || die "redis-server refused FLUSHALL"
  sleep "$rest_seconds"
  read_kib VmRSS
  stop_server
  record redis-server "$malloc" "$throughput" "$peak" "$kib"
}

# ---- kv_server ----

run_kv_server() {
  local malloc=$1 status=0 pair
  local -A figure=()
  (on "$malloc" "$kv_server" --threads "$kv_threads" --seconds "$kv_seconds" \
    --rest-seconds "$rest_seconds" >"$scratch/kv.out" 2>&1) &
  server=$!
  sleep 1
  check_malloc "$malloc"
  wait "$server" || status=$?
  server=
  [[ $status == 0 ]] || die "kv_server ended with $status: $(tail -n 3 "$scratch/kv.out")"
  for pair in $(<"$scratch/kv.out"); do figure[${pair%%=*}]=${pair#*=}; done
  record kv_server "$malloc" "${figure[ops_per_second]}" "${figure[peak_rss_kib]}" \
    "${figure[rss_rest_kib]}"
}

# ---- the report ----

# malloc_of MALLOC COMMAND...: where the dynamic loader finds the program's malloc.
malloc_of() {
  (LD_DEBUG=bindings LD_BIND_NOW=1 on "$@" 2>&1 >/dev/null) | awk -v program="${2##*/}" '
    /normal symbol `malloc.?$/ && $0 ~ "binding file [^ ]*" program " " {
      sub(/.*\] to /, ""); sub(/ \[[0-9]*\]: normal.*/, ""); found = $0 }
    END { print found }'
}

print_proof() {
  local malloc found
  say "Which malloc was used"
  for malloc in glibc cma; do
    found=$(malloc_of "$malloc" "$redis_server" --version)
    printf '  %-6s redis-server calls malloc of %s\n' "$malloc" "${found:-unknown}"
    case $malloc/$found in
      glibc/*/libc.so.6 | cma/"$library") ;;
      *) die "redis-server should call the malloc of $malloc" ;;
    esac
  done
  printf '  %s\n' "each measured process was checked in /proc/PID/maps: libcma.so is in every cma" \
    "process and in no glibc process" \
    "kv_server, one second more, with CMA_OPTIONS=stats=1 ('cma run --stats'), on stderr:"
  "$tool" run --stats -- "$kv_server" --threads "$kv_threads" --seconds 1 --rest-seconds 0 \
    2>"$scratch/summary" >/dev/null || die "kv_server fails under cma run --stats"
  [[ -s $scratch/summary ]] || die "cma printed no summary at the end of kv_server"
  sed 's/^/    /' "$scratch/summary"
}

print_machine() {
  local cpu
  cpu=$(sed -n '/^model name/ { s/^[^:]*: //p; q }' /proc/cpuinfo)
  printf '  %s CPUs (%s), %s\n' "$(nproc)" "${cpu:-$(uname -m)}" "$(uname -sr)"
  printf '  %s, %s, redis %s\n' "$("$tool" version | sed -n 1p)" "$(getconf GNU_LIBC_VERSION)" \
    "$("$redis_server" --version | sed 's/.* v=\([^ ]*\).*/\1/')"
}

print_table() {
  awk -v rest="$rest_seconds" '
    # The median of column c of a workload on a malloc.
    function median(w, m, c,   i, j, n, t, v) {
      n = count[w, m]
      for (i = 1; i <= n; i++) v[i] = value[w, m, i, c]
      for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
      return v[int((n + 1) / 2)]
    }
    function row(w, m) {
      printf "  %-13s %-10s %18.0f %18.1f %18.1f\n", w, m, median(w, m, 1),
        median(w, m, 2) / 1024, median(w, m, 3) / 1024
    }
    function ratio(w, c) { return median(w, "cma", c) / median(w, "glibc", c) }
    { n = ++count[$1, $2]; for (c = 1; c <= 3; c++) value[$1, $2, n, c] = $(c + 2) }
    END {
      printf "  %-13s %-10s %18s %18s %18s\n", "workload", "malloc", "ops per second",
        "peak RSS, MiB", "RSS " rest " s after, MiB"
      split("redis-server kv_server", workloads, " ")
      for (i = 1; i <= 2; i++) {
        row(workloads[i], "glibc"); row(workloads[i], "cma")
        printf "  %-13s %-10s %18.2f %18.2f %18.2f\n", "", "cma/glibc",
          ratio(workloads[i], 1), ratio(workloads[i], 2), ratio(workloads[i], 3)
      }
    }' "$scratch/results"
}

# ---- the route ----

case ${1:-} in
  '')
    install_and_build
    use_build build/release
    ;;
  --build-dir)
    [[ -n ${2:-} ]] || die "--build-dir needs a directory"
    use_build "$2"
    ;;
  *)
    sed -n '2,/^set/s/^# \{0,1\}//p' bench/demo.sh
    exit 2
    ;;
esac

kv_threads=$(nproc)
((kv_threads <= 8)) || kv_threads=8

say "Measure: $repeats repeats, glibc and cma in turn (about 90 s)"
printf '  %s\n' "redis-server: redis-benchmark ${redis_load[*]}, then FLUSHALL" \
  "kv_server: $kv_threads server and $kv_threads client threads, $kv_seconds s, then all but 1 % is dropped" \
  "glibc: LD_PRELOAD=$libc," "  because Debian's redis-server is linked to jemalloc and would use that"
for ((i = 0; i < repeats; i++)); do
  for workload in redis kv_server; do
    # Who goes first changes each time.
    if ((i % 2 == 0)); then order=(glibc cma); else order=(cma glibc); fi
    for malloc in "${order[@]}"; do "run_$workload" "$malloc"; done
  done
done

print_proof
say "Result: medians of $repeats"
print_machine
printf '\n'
print_table
