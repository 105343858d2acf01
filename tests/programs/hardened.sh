#!/usr/bin/env bash
# Programs under profile=hardened, and under the other profiles: they run as always.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_LIB:?is the path of libcma.so}"
for profile in hardened low_memory throughput; do
  export CMA_OPTIONS=profile=$profile,strict=1
  LD_PRELOAD=$CMA_LIB "$CMA_TEST_PROGRAMS/leave_blocks" >"$scratch/out" 2>"$scratch/err" ||
    fail "leave_blocks under $profile: $(cat "$scratch/err")"
  [[ $(cat "$scratch/out") == done && ! -s $scratch/err ]] || fail "$profile: $(cat "$scratch/err")"
  sum=$(seq 200000 | LD_PRELOAD=$CMA_LIB sort -r --parallel=2 -S 5M | cksum)
  [[ $sum == "$(seq 200000 | sort -r | cksum)" ]] || fail "sort under $profile differs"
  count=$(LD_PRELOAD=$CMA_LIB bash -c 'for i in {1..500}; do a[i]=$(printf %0$((i % 99))d $i); done
    echo ${#a[@]}')
  [[ $count == 500 ]] || fail "bash under $profile: $count"
done
echo "profiles: fine"
