#!/usr/bin/env bash
# bench/compare and bench/plot: short runs of some rows, the tables, the file, and the plot of it.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need python3
: "${CMA_SOURCE_DIR:?is the root of the sources}" "${CMA_BUILD_DIR:?is the build directory}"
[[ -x $CMA_BUILD_DIR/bench/run_measured ]] ||
  { echo "skipped: the scenarios are not built" >&2; exit 77; }

# compare ARGUMENT...: what it printed is in $scratch/out.
compare() {
  "$CMA_SOURCE_DIR/bench/compare" --build "$CMA_BUILD_DIR" --only cma,glibc "$@" \
    >"$scratch/out" 2>"$scratch/err" || fail "compare $*: $(cat "$scratch/out" "$scratch/err")"
}

compare --list
for row in larson_server/8 latency:slot/2 latency:thread-local/8 redis-server g++; do
  grep -qxF "  $row" "$scratch/out" || fail "--list has no row $row"
done

compare --rows '^(slot_churn/2|latency:slot/1|start-up|idle_threads:1000/1)$' --repeat 2 --seconds 0.02 \
  --rest-seconds 0.02 --statistic least --json "$scratch/rows.json"
for line in '^slot_churn/2 .*(spread [0-9]' '^start-up ' '^latency:slot/1: malloc p9999 ns ' \
  '^idle_threads:1000/1: KiB per idle thread ' '^least time (ns per operation'; do
  grep -q "$line" "$scratch/out" || fail "no line like $line in: $(cat "$scratch/out")"
done

compare --scaling --threads 1,2,64 --rows '^(slot_churn|batch_order)/' --repeat 1 --seconds 0.02 \
  --json "$scratch/scaling.json"
grep -q '^slot_churn/64 ' "$scratch/out" && grep -q '^cma: \(below\|nowhere below\) 0.95' "$scratch/out" ||
  fail "no word of more threads than CPUs: $(cat "$scratch/out")"

# A scenario that is not in the file is named, and a file that is none of them is refused.
if command -v gnuplot >/dev/null; then
  plot=$CMA_SOURCE_DIR/bench/plot
  "$plot" "$scratch/scaling.json" "$scratch/plot.svg" --scenarios slot_churn,batch_order
  for text in '<svg' slot_churn batch_order 'million operations per second' cma glibc; do
    grep -q "$text" "$scratch/plot.svg" || fail "the plot has no $text"
  done
  ! "$plot" "$scratch/rows.json" "$scratch/none.svg" 2>"$scratch/err" &&
    grep -q 'has none of' "$scratch/err" || fail "drew one point: $(cat "$scratch/err")"
  ! "$plot" "$scratch/out" "$scratch/none.svg" 2>"$scratch/err" &&
    grep -q 'is not what' "$scratch/err" || fail "$(cat "$scratch/err")"
fi
