#!/usr/bin/env bash
# `cma run`: the program has cma as its malloc and else notices nothing.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_TOOL:?is the path of the cma command}"
[[ -x $CMA_TOOL ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }

run() { "$CMA_TOOL" run "$@"; }

# expect_status STATUS COMMAND...
expect_status() {
  local expected=$1 status=0
  shift
  "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [[ $status == "$expected" ]] || fail "$*: status $status, not $expected: $(cat "$scratch/err")"
}

# The exit status is the program's.
for status in 0 1 42 255; do
  expect_status "$status" run -- sh -c "exit $status"
done

# A signal that ends the program ends what was started: 128 + its number, to a shell.
for signal in 9 15 6 11; do
  expect_status $((128 + signal)) run -- sh -c "kill -$signal \$\$"
done

# Signals from outside reach the program itself.
"$CMA_TOOL" run -- sh -c \
  'trap "echo caught; exit 7" TERM; echo ready; for i in $(seq 1200); do sleep 0.05; done' \
  >"$scratch/signal" &
program=$!
wait_until 20 grep -q ready "$scratch/signal" || fail "the program did not start"
kill -TERM "$program"
status=0
wait "$program" || status=$?
[[ $status == 7 ]] || fail "status $status after SIGTERM, not 7"
grep -q caught "$scratch/signal" || fail "SIGTERM did not reach the program"

# Arguments, input, output and the environment go through.
expect_status 0 run -- printf '[%s]' 'a b' '' '--stats' '*'
[[ $(cat "$scratch/out") == '[a b][][--stats][*]' ]] || fail "arguments: $(cat "$scratch/out")"
[[ $(echo input | run -- cat) == input ]] || fail "standard input is lost"
[[ $(NAME='a value' run -- sh -c 'echo "$NAME"') == 'a value' ]] || fail "the environment is lost"
(cd "$scratch" && [[ $(run -- pwd) == "$PWD" ]]) || fail "the directory is another"

# The library is mapped, in children too, and another preload stays.
run -- cat /proc/self/maps | grep '/libcma\.so' >"$scratch/maps" || fail "libcma.so is not mapped"
run -- sh -c 'cat /proc/self/maps' | grep '/libcma\.so' >"$scratch/maps" ||
  fail "not in the program's children"
preload=$(LD_PRELOAD=libm.so.6 run -- sh -c 'echo "$LD_PRELOAD"')
[[ $preload == *libcma.so* && $preload == *libm.so.6* ]] || fail "LD_PRELOAD is $preload"

# Nothing is printed without --stats, a summary on stderr with it.
expect_status 0 run -- sh -c 'echo out'
[[ $(cat "$scratch/out") == out && ! -s $scratch/err ]] || fail "stderr: $(cat "$scratch/err")"
# Bash, because other shells end without exit handlers.
expect_status 3 run --stats -- bash -c 'echo out; exit 3'
[[ $(cat "$scratch/out") == out ]] || fail "--stats writes to stdout: $(cat "$scratch/out")"
grep -q '^cma: version ' "$scratch/err" || fail "no summary: $(cat "$scratch/err")"
for word in mapped live cached dirty returned; do
  grep -q "^cma: .*$word" "$scratch/err" || fail "the summary has no '$word': $(cat "$scratch/err")"
done

# What cannot be run is said so, with the shell's numbers.
expect_status 127 run -- "$scratch/there_is_no_such_program"
grep -q '^cma: ' "$scratch/err" || fail "no message: $(cat "$scratch/err")"
echo 'no program' >"$scratch/file"
expect_status 126 run -- "$scratch/file"
expect_status 125 run --no-such-option -- true

# The other commands take no more than they say.
expect_status 2 "$CMA_TOOL" version extra
expect_status 2 "$CMA_TOOL" help run extra
expect_status 2 "$CMA_TOOL" options --markdown --man
grep -q "unexpected '--man' (" "$scratch/err" || fail "options: $(cat "$scratch/err")"
expect_status 2 "$CMA_TOOL" options --mna
grep -q "unexpected '--mna'; did you mean '--man'" "$scratch/err" || fail "options: $(cat "$scratch/err")"

# Nor is a program run without cma because --lib names something else.
refuse() {
  expect_status 125 run --lib "$1" -- sh -c 'echo started'
  grep -q "$2" "$scratch/err" && [[ ! -s $scratch/out ]] || fail "--lib $1: $(cat "$scratch/err")"
}
refuse /etc/passwd 'is no shared library'
refuse "$(ldd "$CMA_TOOL" | sed -n 's/.*=> \(.*libgcc_s[^ ]*\) .*/\1/p')" 'defines no malloc and free'
head -c 18 "$CMA_LIB" >"$scratch/other.so"
printf '\xff\xff' >>"$scratch/other.so"
tail -c +21 "$CMA_LIB" >>"$scratch/other.so"
refuse "$scratch/other.so" 'is no shared library for this machine'
expect_status 0 run --lib "$CMA_LIB" -- true

echo "cma run: fine"
