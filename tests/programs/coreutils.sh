#!/usr/bin/env bash
# Tools of every day, some of them with threads.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need seq sort awk tar find sed
for i in $(seq 60); do seq "$i" 7 "$((i * 500))" >"$scratch/input$i"; done
cat "$scratch"/input* >"$scratch/all"

by_sort() { LC_ALL=C sort --parallel=4 -S 2M -k1,1r "$scratch/all" | sha256sum; }
by_awk() { awk '{ n[$1 % 1013] = n[$1 % 1013] $1 } END { for (i = 0; i < 1013; ++i) print n[i] }' "$scratch/all"; }
by_sed() { sed -E 's/([0-9])([0-9])/\2-\1/g' "$scratch/all" | sha256sum; }
by_tar() {
  tar --sort=name --mtime=@0 --owner=0 --group=0 -C "$scratch" -cf - all input1 input2 | sha256sum
}
by_bash() { bash -c 'for i in {1..20000}; do a[i]=$((i * 7)); done; echo "${a[*]}"' | sha256sum; }
by_xz() { xz -c -T 3 --block-size=100000 -6 "$scratch/all" | xz -dc -T 3 | sha256sum; }

with_cma cat /proc/self/maps | grep '/libcma\.so' >"$scratch/maps" || fail "cat runs without cma"
expect_same sort by_sort
expect_same awk by_awk
expect_same sed by_sed
expect_same tar by_tar
expect_same bash by_bash
expect_same find find "$scratch" -name 'input*' -newermt 2001-01-01 -size +1k -printf ''
if command -v xz >/dev/null; then expect_same xz by_xz; fi
