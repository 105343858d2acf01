#!/usr/bin/env bash
# Runs every check: the tests of the release build, the proof of the lock annotations, and the
# tests under AddressSanitizer with UndefinedBehaviorSanitizer and under ThreadSanitizer.
#
#   bash tests/run.sh [--quick]
#
# --quick: the release build only. Missing Debian packages are installed first (CMA_SKIP_INSTALL=1:
# not). CMA_JOBS: parallel jobs, default: the number of CPUs. The last line is ctest's, summed up.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

quick=false
case ${1:-} in
  '') ;;
  --quick) quick=true ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' tests/run.sh; exit 2 ;;
esac
jobs=${CMA_JOBS:-$(nproc)}

. cmake/dependencies.sh
cma_install_packages build test || exit

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
summary=()
total=0
failed=0

say() { printf '\n=== %s\n' "$*"; }

# build PRESET: counts as one failed test if it fails.
build() {
  say "$1: build"
  cmake --preset "$1" >"$logs/configure" || cat "$logs/configure"
  if cmake --build --preset "$1" --parallel "$jobs"; then return 0; fi
  summary+=("$1: does not build")
  total=$((total + 1)) failed=$((failed + 1))
  return 1
}

# run_tests PRESET
run_tests() {
  say "$1: test"
  local log=$logs/$1 line
  ctest --preset "$1" --output-on-failure --timeout 120 --parallel "$jobs" 2>&1 | tee "$log"
  local status=$?
  line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$log" | tail -n 1)
  summary+=("$1: ${line:-no tests ran}, $(grep -c '\*\*\*Skipped' "$log") of them skipped")
  summary+=("$(sed -n '/^The following tests FAILED:/,/^$/s/^\t/    /p' "$log")")
  if [[ $line =~ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
    total=$((total + BASH_REMATCH[2])) failed=$((failed + BASH_REMATCH[1]))
    [[ $status == 0 || ${BASH_REMATCH[1]} != 0 ]] && return
  fi
  # ctest failed, or found nothing to run: neither may pass for success.
  total=$((total + 1)) failed=$((failed + 1))
}

build release && run_tests release
if ! $quick; then
  if build thread-safety; then
    summary+=("thread-safety: the lock annotations hold")
    total=$((total + 1))
  fi
  build asan && run_tests asan
  build tsan && run_tests tsan
fi

say "$((SECONDS / 60)) min $((SECONDS % 60)) s in all"
printf '%s\n' "${summary[@]}" | grep .
passed=$((total - failed))
printf '\n%d%% tests passed, %d tests failed out of %d\n' \
  $((total > 0 ? 100 * passed / total : 0)) "$failed" "$total"
[[ $failed == 0 && $total != 0 ]]
