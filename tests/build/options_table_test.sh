#!/usr/bin/env bash
# The README's tables of options are those that the code has, and so is the manual page.
#   options_table_test.sh --update    writes the README's tables anew with $CMA_TOOL
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
tool=${CMA_TOOL:-$root/build/release/cma}
[[ -x $tool ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }
fail() { echo "options_table_test: $*" >&2; exit 1; }

table=$("$tool" options --markdown)
if [[ ${1:-} == --update ]]; then
  TABLE=$table perl -0pi -e 's/(<!-- options -->\n).*?(<!-- \/options -->)/$1$ENV{TABLE}\n$2/s' \
    "$root/README.md"
  exit
fi

written=$(sed -n '/^<!-- options -->$/,/^<!-- \/options -->$/p' "$root/README.md" | sed '1d;$d')
diff <(printf '%s\n' "$written") <(printf '%s\n' "$table") ||
  fail "< README.md, > the code; tests/build/options_table_test.sh --update writes it anew"

# Every option of the table is in all the other texts.
names=$(sed -n 's/^| `\([a-z_]*\)` | [^|]*|[^|]*| \(yes\|no\) |.*/\1/p' <<<"$table")
[[ $(wc -w <<<"$names") -ge 10 ]] || fail "only these options: $names"
help=$(CMA_OPTIONS=help LD_PRELOAD=${CMA_LIB:-$root/build/release/libcma.so} "$tool" version 2>&1)
manual=$("$tool" options --man)
plain=$("$tool" options)
run=$("$tool" help run)
for name in $names; do
  grep -q "^  $name=" <<<"$help" || fail "CMA_OPTIONS=help does not list $name"
  grep -q "^  $name=" <<<"$plain" || fail "cma options does not list $name"
  grep -q "^  $name=" <<<"$run" || fail "cma help run does not list $name"
  grep -q "^\.It Cm $name Ns = " <<<"$manual" || fail "the manual page does not list $name"
done
status=0
said=$("$tool" options --markdwon 2>&1 >/dev/null) || status=$?
[[ $status == 2 && $said == *"did you mean '--markdown'"* ]] || fail "a wrong flag: $said"
echo "options_table_test: the same everywhere"
