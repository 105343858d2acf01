#!/usr/bin/env bash
# CPython with every allocation sent to malloc: objects, JSON, threads, the cycle collector, and
# processes that fork while threads run.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need python3
python=$(python3 -c 'import sys; print(sys.executable)')
export PYTHONMALLOC=malloc PYTHONHASHSEED=0

cat >"$scratch/objects.py" <<'PY'
import collections, gc, hashlib, json, random, re, zlib

random.seed(1)

def tree(depth):
    if depth == 0:
        return random.choice([None, True, random.random(), "text" * random.randrange(9)])
    return {f"key{i}": [tree(depth - 1) for _ in range(random.randrange(4))] for i in range(5)}

data = [tree(4) for _ in range(30)]
text = json.dumps(data, sort_keys=True)
assert json.loads(text) == data
print("json", len(text), hashlib.sha256(text.encode()).hexdigest())

class Node:
    pass

def cycles(count):
    for i in range(count):
        a, b = Node(), Node()
        a.other, b.other, a.load = b, a, bytearray(i % 3000)

gc.collect()
gc.disable()
cycles(20000)
print("collected at least", gc.collect() // 40000 * 40000)

words = re.findall(r"[a-z]+", text)
print("words", collections.Counter(words).most_common(5))
packed = zlib.compress(text.encode(), 9)
print("packed", hashlib.sha256(packed).hexdigest(), zlib.decompress(packed) == text.encode())
big = [b"x" * size for size in range(0, 400000, 997)]
print("bytes", sum(map(len, big)))
table = {i: str(i) * (i % 50) for i in range(300000)}
for i in range(0, 300000, 2):
    del table[i]
print("table", len(table), sum(map(len, table.values())))
PY

cat >"$scratch/threads.py" <<'PY'
import hashlib, json, queue, threading

work, done = queue.Queue(), queue.Queue()

def worker():
    while (item := work.get()) is not None:
        text = json.dumps({"item": item, "list": list(range(item % 500))})
        done.put((item, hashlib.md5(text.encode()).hexdigest()))

threads = [threading.Thread(target=worker) for _ in range(16)]
for thread in threads:
    thread.start()
for i in range(6000):
    work.put(i)
for _ in threads:
    work.put(None)
for thread in threads:
    thread.join()
results = sorted(done.get() for _ in range(6000))
print(hashlib.sha256(repr(results).encode()).hexdigest())
for _ in range(500):
    thread = threading.Thread(target=lambda: [bytearray(n) for n in range(200)])
    thread.start()
    thread.join()
PY

cat >"$scratch/processes.py" <<'PY'
import hashlib, json, multiprocessing, os, threading

def digest(seed):
    text = json.dumps([[seed * i] * (i % 50) for i in range(400)])
    return hashlib.sha256(text.encode()).hexdigest()

def main():
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            [bytearray(n * 37 % 70000) for n in range(100)]

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print(hashlib.sha256("".join(pool.map(digest, range(300))).encode()).hexdigest())
    for i in range(30):
        child = os.fork()
        if child == 0:
            os._exit(0 if digest(i) else 1)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    print("processes ended")

if __name__ == "__main__":
    main()
PY

expect_cma "$python" -c 'print([0] * 100000)'
expect_same objects "$python" "$scratch/objects.py"
expect_same threads "$python" "$scratch/threads.py"
expect_same processes timeout 200 "$python" -W ignore "$scratch/processes.py"
