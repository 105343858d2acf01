#!/usr/bin/env bash
# A file of src/<layer> includes only its own layer and lower ones, in the order of
# cmake/layers.txt. First shows on made-up trees that it would notice.
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}

# check_layers ROOT: prints each fault; fails if there is one.
check_layers() {
  (cd "$1" && find src include -mindepth 2 -type f -regex '.*\.\(h\|hpp\|cc\)' | sort | xargs awk '
      function fault(text) { print FILENAME ":" FNR ": " text; faults++ }
      BEGIN {
        while ((getline line < "cmake/layers.txt") > 0) if (line ~ /^[a-z]/) rank[line] = ++layers
        if (layers == 0) { print "cmake/layers.txt: no layers"; faults++ }
      }
      FNR == 1 {
        split(FILENAME, part, "/")
        is_public = part[1] == "include"
        layer = part[2]
        if (!is_public && !(layer in rank)) fault("folder " layer " is not in cmake/layers.txt")
      }
      /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        count = split(quoted[2], target, "/")
        if (target[1] == "cma" || (target[1] == "absl" && !is_public)) next
        if (is_public) fault("a public header includes " quoted[2])
        else if (count < 2) fault("write \"" layer "/" quoted[2] "\": includes start at src/")
        else if (!(target[1] in rank)) fault(quoted[2] " is in no layer")
        else if (rank[target[1]] > rank[layer]) fault(layer " may not include " quoted[2])
      }
      END { exit faults > 0 }')
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# expect pass|fail NAME FILE LINE: the verdict on a tree in which FILE holds LINE.
expect() {
  local verdict=$1 tree=$scratch/$2 result=pass output
  mkdir -p "$tree"/{cmake,src/low,src/high,include/cma,"$(dirname "$3")"}
  printf '# lowest first\nlow\nhigh\n' >"$tree/cmake/layers.txt"
  printf '#include "low/low.h"\n#include <cma/cma.h>\n' >"$tree/src/high/high.h"
  printf '#include <stddef.h>\n' >"$tree/src/low/low.h"
  printf '%s\n' "$4" >"$tree/$3"
  output=$(check_layers "$tree") || result=fail
  if [[ $result != "$verdict" ]]; then
    echo "layers_test: '$4' in $3 should $verdict: $output"
    exit 1
  fi
}
expect pass same_layer src/low/other.cc '#include "low/low.h"'
expect pass abseil src/low/other.cc '#include "absl/base/thread_annotations.h"'
expect pass public_name src/low/other.cc '#include "cma/cma.h"'
expect pass downward src/high/other.cc '#include "low/low.h"'
expect fail upward src/low/other.cc '#include "high/high.h"'
expect fail upward_indented src/low/other.h '  #  include "high/high.h"'
expect fail no_layer src/low/other.cc '#include "low.h"'
expect fail unknown_layer src/low/other.cc '#include "common/common.h"'
expect fail unlisted_folder src/common/common.h '#include <stddef.h>'
expect fail public_header include/cma/cma.h '#include "low/low.h"'

check_layers "$root"
echo "layers_test: every include points downward"
