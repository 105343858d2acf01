#!/usr/bin/env bash
# `cma run --stats=FORMAT`: JSON that a parser takes and whose sums hold, Prometheus's text format,
# and text for people.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

: "${CMA_TOOL:?is the path of the cma command}"
[[ -x $CMA_TOOL ]] || { echo "skipped: the cma command is not built" >&2; exit 77; }
command -v python3 >/dev/null || { echo "skipped: python3 is not installed" >&2; exit 77; }

for format in json prometheus text; do
  "$CMA_TOOL" run --stats=$format -- "$CMA_TEST_PROGRAMS/leave_blocks" \
    >"$scratch/out" 2>"$scratch/$format" || fail "the program failed under --stats=$format"
  [[ $(cat "$scratch/out") == done ]] || fail "--stats=$format changes the output"
done

python3 -m json.tool "$scratch/json" >"$scratch/pretty" || fail "no JSON: $(head "$scratch/json")"
python3 - "$scratch/json" <<'PYTHON' || fail "the sums of the JSON do not hold"
import json, sys
s = json.load(open(sys.argv[1]))
assert s["schema"] == 1, s["schema"]
assert all(v >= 0 for v in s.values() if isinstance(v, int))
parts = ("live thread_cached slab_free free_run free_superblock metadata").split()
assert s["mapped_bytes"] == sum(s[p + "_bytes"] for p in parts)
assert s["rss_bytes"] + s["absent_bytes"] == s["resident_most_bytes"] + s["other_bytes"]
assert s["rss_bytes"] > 0
arenas = s["arena_list"]
assert len(arenas) == s["arenas"] > 0
assert s["mapped_bytes"] == sum(a["mapped_bytes"] for a in arenas) + s["huge_bytes"] + \
    s["free_superblock_bytes"] + s["metadata_bytes"]
assert sum(a["slab_free_bytes"] for a in arenas) == s["slab_free_bytes"]
for c in s["classes"]:
    assert sum(c["slabs_by_fullness"]) == c["slabs"]
live = sum(c["live_blocks"] * c["block_bytes"] for c in s["classes"])
assert live > 1000000 and len(s["classes"]) > 50
assert live + s["large_bytes"] + s["huge_bytes"] - s["moving_bytes"] == s["live_bytes"]
cached = sum(c["cached_blocks"] * c["block_bytes"] for c in s["classes"])
assert cached + s["moving_bytes"] + s["large_cached_bytes"] == s["thread_cached_bytes"]
assert s["options"]["stats"] == "json" and s["options"]["release_delay_ms"] == "500"
PYTHON

python3 - "$scratch/prometheus" <<'PYTHON' || fail "not the text format of Prometheus"
import re, sys
name = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
sample = re.compile(rf'({name})(\{{{label}(?:,{label})*\}})? (\d+)')
types, seen, current = {}, set(), None
text = open(sys.argv[1]).read()
assert text.endswith('\n')
for line in text.splitlines():
    if line.startswith('# HELP '):
        current = line.split(' ', 3)[2]
        assert current not in types, line
    elif line.startswith('# TYPE '):
        _, _, metric, kind = line.split(' ')
        assert metric == current and kind in ('gauge', 'counter'), line
        assert (kind == 'counter') == metric.endswith('_total'), line
        types[metric] = kind
    else:
        match = sample.fullmatch(line)
        assert match and match[1] == current and current in types, line
        assert (match[1], match[2]) not in seen, line
        seen.add((match[1], match[2]))
assert len(types) > 15
PYTHON

grep -q '^cma: .* KiB  live: ' "$scratch/text" || fail "no text: $(head "$scratch/text")"

# coreutils close stdout and stderr in a handler of exit(3).
"$CMA_TOOL" run --stats -- ls -d / >"$scratch/out" 2>"$scratch/text" || fail "ls: $?"
grep -q '^cma: .* KiB  live: ' "$scratch/text" || fail "ls has no statistics"

# The number of stderr is a file's of the program by then.
cat >"$scratch/own_file.py" <<'PYTHON'
import os, sys
os.close(2)
assert os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY) == 2
os.write(2, b"precious")
if len(sys.argv) > 2: os.closerange(3, 1000)
PYTHON
python=$(python3 -c 'import sys; print(sys.executable)')  # not a script that starts it
"$CMA_TOOL" run --stats -- "$python" "$scratch/own_file.py" "$scratch/file" 2>"$scratch/text" ||
  fail "python: $?"
[[ $(cat "$scratch/file") == precious ]] || fail "statistics are in the program's own file"
grep -q '^cma: .* KiB  live: ' "$scratch/text" || fail "no statistics beside the program's file"
"$CMA_TOOL" run --stats -- "$python" "$scratch/own_file.py" "$scratch/file" all 2>"$scratch/text" ||
  fail "python that closes all: $?"
[[ $(cat "$scratch/file") == precious ]] || fail "statistics are in the file of who closed all"
[[ ! -s $scratch/text ]] || fail "who closed all has said: $(cat "$scratch/text")"

# Without /proc the process's RSS is not known, and nothing is said to be absent.
if unshare -rm mount -t tmpfs none /proc 2>/dev/null; then
  "$CMA_TOOL" run --stats=json -- unshare -rm sh -c \
    'mount -t tmpfs none /proc && exec "$0"' "$CMA_TEST_PROGRAMS/leave_blocks" \
    >"$scratch/out" 2>"$scratch/json" || fail "the program failed without /proc"
  grep -q '"rss_bytes": 0,' "$scratch/json" || fail "an RSS without /proc: $(cat "$scratch/json")"
  grep -q '"absent_bytes": 0\b' "$scratch/json" || fail "absent without /proc: $(cat "$scratch/json")"
fi

# No descriptor from 100 on may be had.
(ulimit -n 50 && "$CMA_TOOL" run --stats -- "$CMA_TEST_PROGRAMS/leave_blocks") \
  >"$scratch/out" 2>"$scratch/text" || fail "the program failed under ulimit -n 50"
grep -q '^cma: .* KiB  live: ' "$scratch/text" || fail "no statistics under ulimit -n 50"

status=0
"$CMA_TOOL" run --stats=jsno -- true 2>"$scratch/err" || status=$?
[[ $status == 125 ]] || fail "status $status with a wrong format"
grep -q "off, text, json or prometheus" "$scratch/err" || fail "$(cat "$scratch/err")"

echo "cma run --stats: fine"
