# shellcheck shell=bash
# Sourced by the tests of this folder: runs a program with and without cma and compares.
#
# CMA_LIB   path of libcma.so
# CMA_TOOL  path of the cma command
#
# Gives each test $scratch, a directory that goes away with it.
set -euo pipefail
: "${CMA_LIB:?is the path of libcma.so}"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cma_program.XXXXXX")
cleanup() { rm -rf "$scratch"; }
trap cleanup EXIT
unset LD_PRELOAD

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# need PROGRAM...: skips the test if one is missing.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null && continue
    echo "skipped: $program is not installed" >&2
    exit 77
  done
}

# with_cma COMMAND...
with_cma() { env LD_PRELOAD="$CMA_LIB" "$@"; }

# expect_cma COMMAND...: fails unless cma is the malloc of the command, which says so as it ends.
expect_cma() {
  local said
  said=$(CMA_OPTIONS=stats=1 with_cma "$@" 2>&1 >/dev/null </dev/null) || fail "$*: $said"
  [[ $said == *"cma: version "* ]] || fail "$* ran without cma: $said"
}

# expect_same NAME COMMAND...: same standard output and exit status with and without cma. The
# command reads nothing and finds an empty current directory, a new one in each run.
expect_same() {
  local name=$1 run status
  shift
  for run in plain cma; do
    mkdir -p "$scratch/$name/$run"
    status=0
    (
      cd "$scratch/$name/$run"
      [[ $run == plain ]] || export LD_PRELOAD=$CMA_LIB
      "$@" </dev/null
    ) >"$scratch/$name/$run.out" 2>"$scratch/$name/$run.err" || status=$?
    printf 'exit status %s\n' "$status" >>"$scratch/$name/$run.out"
  done
  if ! cmp -s "$scratch/$name/plain.out" "$scratch/$name/cma.out"; then
    diff "$scratch/$name/plain.out" "$scratch/$name/cma.out" | head -n 20 >&2 || true
    tail -n 20 "$scratch/$name/cma.err" >&2
    fail "$name: the output differs"
  fi
  if ! grep -q '^exit status 0$' "$scratch/$name/cma.out"; then
    tail -n 20 "$scratch/$name/cma.err" >&2
    fail "$name: $(tail -n 1 "$scratch/$name/cma.out"), with cma and without"
  fi
  if grep -E '^(cma: |ERROR: ld.so: )' "$scratch/$name/cma.err" >&2; then
    fail "$name: the messages above"
  fi
  echo "$name: same output, $(wc -c <"$scratch/$name/cma.out") bytes"
}

# wait_until SECONDS COMMAND...: until the command succeeds; false if it never does.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}
