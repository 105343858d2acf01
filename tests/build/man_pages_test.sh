#!/usr/bin/env bash
# The manual is complete and renders: every function of <cma/cma.h> is in cma(3), every option in
# cma-options(7) and in the README, every command and exit status in cma(1), and groff has nothing to
# complain of.
set -euo pipefail
root=$CMA_SOURCE_DIR
tool_page=$root/docs/man/cma.1
api_page=$root/docs/man/cma.3
options_page=$CMA_BUILD_DIR/cma-options.7
faults=0
fault() {
  echo "man_pages_test: $1"
  faults=1
}

# Functions: in the synopsis, and described.
functions=$(sed -n 's/^CMA_API .*[ *]\(cma_[a-z_0-9]*\)(.*/\1/p' "$root/include/cma/cma.h")
[[ $(wc -l <<<"$functions") -ge 18 ]] || fault "the functions of cma.h are no longer found"
for function in $functions; do
  sed '/^\.Sh DESCRIPTION/q' "$api_page" | grep "^\.Fn $function " >/dev/null ||
    fault "$function is not in the synopsis of cma(3)"
  sed '1,/^\.Sh DESCRIPTION/d' "$api_page" | grep -w "^\.Fn $function" >/dev/null ||
    fault "$function is not described in cma(3)"
done

# Options, with their defaults. The command writes the page.
options=$(env CMA_OPTIONS=help LD_PRELOAD="$CMA_LIB" true 2>&1 | sed -n 's/^  \([a-z0-9_]*=[^ ]*\)  .*/\1/p')
[[ -n $options ]] || fault "CMA_OPTIONS=help lists nothing"
for option in $options; do
  name=${option%%=*} default=${option#*=}
  grep -qxF ".It Cm $name Ns = Ns $default" "$options_page" ||
    fault "$option is not in cma-options(7)"
  grep -qF "| \`$name\` | $default |" "$root/README.md" || fault "$option is not in README.md"
done

# Commands.
if [[ -x $CMA_TOOL ]]; then
  commands=$("$CMA_TOOL" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
  [[ -n $commands ]] || fault "cma help lists no commands"
  for command in $commands; do
    grep -qx "\.It Cm $command" "$tool_page" || fault "'cma $command' is not described in cma(1)"
  done
  # Exit statuses.
  statuses=$("$CMA_TOOL" help run; "$CMA_TOOL" help doctor; "$CMA_TOOL" help bench)
  for status in $(sed -n '/^Exit status/,/^$/p' <<<"$statuses" | grep -ow '[0-9][0-9]*' | sort -u); do
    sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/p' "$tool_page" | grep -w "$status" >/dev/null ||
      fault "the exit status $status is not in cma(1)"
  done
fi

if command -v groff >/dev/null; then
  for page in "$tool_page" "$api_page" "$options_page"; do
    warnings=$(groff -mandoc -Tutf8 -ww -z "$page" 2>&1) || fault "groff fails on $page"
    [[ -z $warnings ]] || fault "$warnings"
  done
fi

[[ $faults == 0 ]] && echo "man_pages_test: $(wc -w <<<"$functions") functions," \
  "$(wc -w <<<"$options") options; complete"
exit $faults
