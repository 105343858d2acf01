#!/usr/bin/env bash
# The commands and the snippets of code that README.md and docs/ show work. check_documents.py says
# how, and lists the commands that are not run.
set -euo pipefail
for program in python3 cmake pkg-config redis-server; do
  command -v "$program" >/dev/null || { echo "skipped: $program is not installed" >&2; exit 77; }
done
[[ -x $CMA_TOOL ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }
unset LD_PRELOAD CMA_OPTIONS
PYTHONDONTWRITEBYTECODE=1 python3 "$CMA_SOURCE_DIR/tests/build/check_documents.py"

# Pictures, and links to other files.
cd "$CMA_SOURCE_DIR"
faults=0
for document in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do
  for target in $(grep -o '\](\([^)#]*\)' "$document" | sed 's/^](//' | grep -v '^https\?:' || true); do
    [[ -e $(dirname "$document")/$target ]] ||
      { echo "documents_test: $document: no $target"; faults=1; }
  done
done
for picture in docs/*.svg; do
  python3 -c 'import sys, xml.etree.ElementTree as t; t.parse(sys.argv[1])' "$picture" || faults=1
done
exit $faults
