# shellcheck shell=bash
# Sourced by the scripts of this folder. Each runs a program of other people's with the allocator
# that is preloaded into the script, and prints one line like a scenario's:
#
#   seconds= ops= ops_per_second= [cpu_seconds= peak_rss_kib= rss_rest_kib=]
#
#   NAME.sh [--ops N] [--rest-seconds S]
#
# --ops sets the work; what one op is, each script says. Gives them $ops, $rest_seconds, $here and
# $scratch, a directory that goes away with them.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rest_seconds=0

# read_flags DEFAULT_OPS ARGUMENT...
read_flags() {
  ops=$1
  shift
  while (($# > 0)); do
    case $1 in
      --ops) ops=${2-} ;;
      --rest-seconds) rest_seconds=${2-} ;;
      *) echo "$(basename "$0"): unknown argument '$1'" >&2; exit 2 ;;
    esac
    shift $(($# > 1 ? 2 : 1))
  done
  if [[ ! $ops =~ ^[1-9][0-9]*$ || ! $rest_seconds =~ ^[0-9]+(\.[0-9]+)?$ ]]; then
    echo "$(basename "$0"): --ops takes a whole number, --rest-seconds a number" >&2
    exit 2
  fi
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cma-bench.XXXXXX")
cleanup() { rm -rf "$scratch"; }
trap cleanup EXIT
trap 'exit 143' TERM INT

# need PROGRAM...
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
  done
}

# Microseconds of the wall clock.
now_us() { echo "${EPOCHREALTIME/./}"; }

# report SINCE_US [MORE_FIGURES...]
report() {
  local us=$(($(now_us) - $1))
  shift
  awk -v us="$us" -v ops="$ops" -v more="$*" 'BEGIN {
    printf "seconds=%.6f ops=%d ops_per_second=%.3f%s\n", us / 1e6, ops, ops * 1e6 / us,
           more == "" ? "" : " " more }'
}

# timed COMMAND...: runs it and reports. Its output is dropped.
timed() {
  local start
  start=$(now_us)
  "$@" >/dev/null
  report "$start"
}
