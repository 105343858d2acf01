#!/usr/bin/env bash
# The presets that CONTRIBUTING.md names exist, can be built and tested, and keep to build/.
set -euo pipefail
cd "${CMA_SOURCE_DIR:-$(dirname "$0")/../..}"

names() { sed -n 's/^ *"\([a-z-]*\)".*/\1/p' | sort | tr '\n' ' '; }

status=0
# expect KIND NAME...: the presets of this kind are these.
expect() {
  local kind=$1 listed
  shift
  listed=$(cmake --list-presets="$kind" | names)
  if [[ $listed != "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ]]; then
    echo "presets_test: $kind presets are '$listed', not '$*'"
    status=1
  fi
}
expect configure asan coverage dev package release thread-safety tsan ubsan
expect build asan coverage dev package release thread-safety tsan ubsan
expect test asan coverage dev release tsan ubsan # thread-safety proves at compile time
expect package package

if grep '"binaryDir"' CMakePresets.json | grep -vF '"${sourceDir}/build/${presetName}"'; then
  echo "presets_test: a preset builds outside build/"
  status=1
fi
[[ $status == 0 ]] && echo "presets_test: all presets are there"
exit $status
