#!/usr/bin/env bash
# `cma bench`: real runs of scenarios and of a program, their reports, failures and Ctrl-C.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_TOOL:?is the path of the cma command}"
[[ -x $CMA_TOOL ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }
[[ -x $(dirname "$CMA_TOOL")/bench/run_measured ]] ||
  { echo "skipped: the scenarios are not built" >&2; exit 77; }

# bench STATUS ARGUMENT...: what it printed is in $scratch/out and $scratch/err.
bench() {
  local expected=$1 status=0
  shift
  "$CMA_TOOL" bench --allocators cma,glibc "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [[ $status == "$expected" ]] || fail "cma bench $*: status $status: $(cat "$scratch/err")"
}

bench 0 --list
scenarios=$(sed -n '/^scenarios:/,/^allocators:/s/^  \([a-z_0-9]*\) .*/\1/p' "$scratch/out")
for scenario in thread_local_churn redis sqlite gxx python node; do
  grep -qx "$scenario" <<<"$scenarios" || fail "--list has no $scenario"
done

# Each scenario runs, and those of programs that are not installed say so.
installed=$(grep -v 'is not installed)$' "$scratch/out" |
  sed -n '/^scenarios:/,/^allocators:/s/^  \([a-z_0-9]*\) .*/\1/p')
"$CMA_TOOL" bench --allocators cma --scenario "$(tr '\n' ',' <<<"$installed" | sed 's/,$//')" \
  --threads 2 --repeat 1 --seconds 0.001 --rest-seconds 0 >"$scratch/out" 2>"$scratch/err" ||
  fail "not all scenarios run: $(cat "$scratch/out" "$scratch/err")"

bench 0 --scenario thread_local_churn,larson_server --threads 1,2 --repeat 2 --seconds 0.01 \
  --rest-seconds 0.01 --out "$scratch/results/new"
grep -q '^larson_server, 2 threads ' "$scratch/out" || fail "no such row: $(cat "$scratch/out")"
grep -q '\[4/4\].* larson_server, 2 threads [.~]\{4,8\} ' "$scratch/err" || fail "no progress is shown"
# 2 scenarios, 2 numbers of threads, 2 allocators, 2 runs, and the head; once more what was disturbed.
[[ $(wc -l <"$scratch/results/new/results.csv") -ge 17 ]] || fail "results.csv has fewer lines"
python3 - "$scratch/results/new/results.json" <<'PYTHON' || fail "results.json is wrong"
import json, sys
results = json.load(open(sys.argv[1]))
assert len(results["rows"]) == 4
for row in results["rows"]:
    for allocator in ("cma", "glibc"):
        result = row["results"][allocator]
        assert 2 <= len(result["samples"]) <= 4
        assert all(result["median"][key] > 0
                   for key in ("ops_per_second", "peak_rss_kib", "rest_rss_kib")), result
PYTHON
grep -q '</html>' "$scratch/results/new/report.html" || fail "report.html is not whole"

# A program of the user's own: its output is dropped, its failure told.
bench 0 --repeat 1 -- "$(command -v bash)" -c 'echo hello; sleep 0.02'
grep -q '^wall time, s' "$scratch/out" && ! grep -q '^hello' "$scratch/out" ||
  fail "not the program's table: $(cat "$scratch/out")"
# To and fro: cma glibc, glibc cma, cma glibc. One that was disturbed runs once more, at once.
bench 0 --repeat 3 -- bash -c 'echo "${LD_PRELOAD:-none}" >>"$0"' "$scratch/order"
[[ $(uniq "$scratch/order" | wc -l) == 4 ]] || fail "another order: $(cat "$scratch/order")"

bench 1 --repeat 1 -- sh -c 'echo oh >&2; exit 3'
grep -q 'sh, glibc: exit status 3: oh' "$scratch/out" || fail "the failure is not told"
bench 1 --repeat 1 --timeout 1 -- sleep 30
grep -q 'sleep, cma: no end after 1 s' "$scratch/out" || fail "the timeout is not told"

# An argument that is not UTF-8 leaves the files so that are.
bench 0 --repeat 1 --out "$scratch/bytes" -- echo $'\xff' 'é'
for file in results.json report.html; do
  iconv -f UTF-8 -t UTF-8 "$scratch/bytes/$file" >/dev/null || fail "$file is not UTF-8"
done

# A program that is not there is missed before anything runs. The scripts need no program but bash
# for that.
status=0
PATH=$scratch "$CMA_TOOL" bench --scenario redis 2>"$scratch/err" || status=$?
[[ $status == 2 ]] && grep -q 'needs redis-server, which is not installed' "$scratch/err" ||
  fail "status $status: $(cat "$scratch/err")"

# Nor is a library an allocator because somebody says so, or a file a directory.
status=0
"$CMA_TOOL" bench --allocators "x=$(ldd "$CMA_TOOL" | sed -n 's/.*=> \(.*libgcc_s[^ ]*\) .*/\1/p')" \
  2>"$scratch/err" || status=$?
[[ $status == 2 ]] && grep -q 'defines no malloc' "$scratch/err" || fail "$(cat "$scratch/err")"
: >"$scratch/file"
bench 1 --out "$scratch/file/results" -- true
grep -q 'cannot make' "$scratch/err" || fail "$(cat "$scratch/err")"

# Wrong command lines run nothing.
bench 2 --scenario slot_chrun
grep -q "did you mean 'slot_churn'" "$scratch/err" || fail "$(cat "$scratch/err")"
bench 2 -- /no/such/program
bench 2 -- "$CMA_BUILD_DIR/tests/build_static_c"
grep -q 'has a malloc of its own' "$scratch/err" || fail "$(cat "$scratch/err")"
bench 2 --bench-dir "$scratch"

# Ctrl-C: what is done is printed, and that it is less than was meant. The second run does not end.
"$CMA_TOOL" bench --allocators cma --repeat 3 --out "$scratch/cut" -- \
  bash -c 'mkdir "$0/first" || { mkdir "$0/second"; exec sleep 100; }' "$scratch" \
  >"$scratch/out" 2>"$scratch/err" &
bench=$!
wait_until 20 test -d "$scratch/second" || fail "it did not start"
kill -TERM "$bench"
status=0
wait "$bench" || status=$?
[[ $status == 130 ]] || fail "status $status after the interrupt, not 130"
grep -q '</html>' "$scratch/cut/report.html" || fail "no report after the interrupt"
for report in out cut/results.json cut/report.html; do
  grep -q 'medians of up to 3 interleaved runs, interrupted after 1 of 3' "$scratch/$report" ||
    fail "$report does not tell of the interrupt"
done

# A script that is cut off leaves neither files nor processes.
if [[ " $installed " == *$'\n'redis$'\n'* ]]; then
  mkdir "$scratch/tmp"
  TMPDIR=$scratch/tmp "$CMA_TOOL" bench --allocators cma --repeat 1 --scenario redis --seconds 100 \
    >"$scratch/out" 2>"$scratch/err" &
  bench=$!
  wait_until 20 compgen -G "$scratch/tmp/*/redis.sock" || fail "the server did not start"
  kill -TERM "$bench"
  wait "$bench" || true
  [[ -z $(ls "$scratch/tmp") ]] || fail "left behind: $(ls "$scratch/tmp")"
fi
