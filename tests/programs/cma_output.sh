#!/usr/bin/env bash
# A command whose output cannot be written says so once, and fails.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_TOOL:?is the path of the cma command}"
[[ -x $CMA_TOOL ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }
[[ -c /dev/full ]] || { echo "skipped: there is no /dev/full" >&2; exit 77; }

# expect_refused STATUS ARGUMENT...: the exit status with a full disk behind stdout.
expect_refused() {
  local expected=$1 status=0
  shift
  "$CMA_TOOL" "$@" >/dev/full 2>"$scratch/err" || status=$?
  [[ $status == "$expected" ]] || fail "cma $*: status $status, not $expected: $(cat "$scratch/err")"
  [[ $(grep -c '^cma: cannot write to standard output' "$scratch/err") == 1 ]] ||
    fail "cma $*: not one message: $(cat "$scratch/err")"
}

expect_refused 1 version
expect_refused 1 options
expect_refused 1 options --man
expect_refused 1 help
expect_refused 1 help bench
expect_refused 1 doctor sh
expect_refused 1 bench --list
if [[ -x $(dirname "$CMA_TOOL")/bench/run_measured ]]; then
  expect_refused 1 bench --allocators glibc --repeat 1 -- true
fi

# What has gone wrong before keeps its status.
expect_refused 2

# No stdout at all is no better.
status=0
"$CMA_TOOL" version >&- 2>"$scratch/err" || status=$?
[[ $status == 1 ]] || fail "status $status without a stdout: $(cat "$scratch/err")"

# Who prints nothing has no need of it, and `cma run` leaves the writing to the program.
"$CMA_TOOL" run -- true >/dev/full || fail "cma run prints nothing and fails"

echo "cma's output: fine"
