#!/usr/bin/env bash
# The programs of bench/scenario keep to what bench/README.md promises of them: a fixed number of
# operations or a time, the same work for the same seed, figures in one form, and no word but the
# figures. Under cma, so that their checks of content are checks of cma too.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

bench=${CMA_BUILD_DIR:?is the build directory}/bench
[[ -x $bench/run_measured ]] || { echo "skipped: the scenarios are not built" >&2; exit 77; }

# figure NAME: of the last run.
figure() { tr ' ' '\n' <"$scratch/out" | sed -n "s/^$1=//p" | head -n 1; }

# run SCENARIO ARGUMENT...
run() {
  local name
  with_cma timeout 60 "$bench/$1" "${@:2}" >"$scratch/out" 2>"$scratch/err" ||
    fail "$*: status $?: $(cat "$scratch/err")"
  [[ ! -s $scratch/err ]] || fail "$*: $(cat "$scratch/err")"
  ! grep -qvE '^([a-z0-9_]+=[0-9.]+ ?)+$' "$scratch/out" || fail "$*: not figures: $(cat "$scratch/out")"
  for name in ops_per_second ops seconds peak_rss_kib; do
    [[ -n $(figure $name) ]] || fail "$*: no $name"
  done
}

# Enough for a batch, phase or epoch of each, and no more than a moment's work.
declare -A ops=([huge_blocks]=20 [large_churn]=2000 [json_store]=2000 [realloc_ladder]=20000
  [fragmentation_ager]=3000000 [sparse_survivors]=3000000)

for source in "$CMA_SOURCE_DIR"/bench/scenario/*.cc; do
  name=$(basename "$source" .cc)
  run "$name" --threads 2 --ops "${ops[$name]:-100000}" --seed 7 --rest-seconds 0.01
  (($(figure ops) > 0)) || fail "$name: nothing done"
  [[ -n $(figure rss_rest_kib) ]] || fail "$name: no rss_rest_kib"
  run "$name" --threads 3 --seconds 0.05 --seed 7
  (($(figure ops) > 0)) || fail "$name: nothing done in a time"
  status=0
  "$bench/$name" --no-such-flag 2>/dev/null || status=$?
  [[ $status == 2 ]] || fail "$name: status $status for an unknown flag"
done

# The same seed gives the same blocks, and another one others. With one thread nothing else decides.
for name in thread_local_churn slot_churn larson_server kv_store thread_phases; do
  peaks=()
  for seed in 1 1 2; do
    run "$name" --ops 300000 --seed $seed
    peaks+=("$(figure peak_live_bytes)")
  done
  [[ -n ${peaks[0]} && ${peaks[0]} == "${peaks[1]}" ]] || fail "$name: one seed, two loads: ${peaks[*]}"
  [[ ${peaks[0]} != "${peaks[2]}" ]] || fail "$name: two seeds, one load"
done

# Work too short to be any is no result.
status=0
"$bench/batch_order" --ops 10 >"$scratch/out" 2>&1 || status=$?
[[ $status == 2 ]] && grep -q 'too few' "$scratch/out" || fail "status $status: $(cat "$scratch/out")"
