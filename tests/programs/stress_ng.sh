#!/usr/bin/env bash
# The stressors of stress-ng that stress malloc and fork; it verifies what it allocates.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need stress-ng

# stress ARGUMENTS...
stress() {
  with_cma timeout 120 stress-ng --temp-path "$scratch" --timeout 5s --verify "$@" \
    >"$scratch/out" 2>&1 || fail "stress-ng $*: $(tail -n 20 "$scratch/out")"
  if grep -E '^cma: |fail:' "$scratch/out" >&2; then fail "stress-ng $*: the messages above"; fi
  echo "stress-ng $*: fine"
}

expect_cma stress-ng --version
stress --malloc 4 --malloc-bytes 64M
stress --malloc 2 --malloc-pthreads 4 --malloc-bytes 64M
stress --malloc 2 --malloc-bytes 128M --malloc-touch
stress --malloc 2 --malloc-bytes 64M --malloc-thresh 1K
stress --fork 4
stress --fork 2 --malloc 2 --malloc-bytes 32M
stress --pthread 4
