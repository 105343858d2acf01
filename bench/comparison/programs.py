"""The rows of the table that are other people's programs."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from . import measure

_PYTHON_WORK = """\
import gc, json, random, sys
random.seed(1)
rounds = int(sys.argv[1])
class Record:
    def __init__(self, i):
        self.key, self.tags = "key-%d" % i, ["tag%d" % (i % k) for k in range(2, 9)]
        self.body = {"id": i, "text": "x" * random.randrange(400), "parts": list(range(i % 50))}
kept = {}
for turn in range(rounds):
    records = [Record(i) for i in range(8000)]
    texts = [json.dumps(r.body) for r in records]
    back = [json.loads(t) for t in texts]
    for i in range(0, len(back), 7):
        kept[random.randrange(20000)] = (texts[i], back[i])
    words = " ".join(texts).split()
    words.sort(key=len)
    gc.collect()
"""

_NODE_WORK = """\
const rounds = Number(process.argv[2]);
const kept = new Map();
for (let turn = 0; turn < rounds; turn++) {
  const texts = [];
  for (let i = 0; i < 6000; i++) {
    texts.push(JSON.stringify({id: i, text: 'x'.repeat(i % 300), parts: Array(i % 40).fill(turn)}));
  }
  for (const text of texts) {
    const value = JSON.parse(text);
    const buffer = Buffer.allocUnsafeSlow(64 + (value.id * 37) % 20000);
    buffer.fill(turn);
    kept.set(value.id % 500, buffer);
  }
}
"""

_SQL_WORK = """\
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, note TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, item INTEGER, amount INTEGER, who TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
  INSERT INTO item SELECT i, 'item ' || i, i % 97 * 1.5, hex(zeroblob(i % 60)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows} * 2)
  INSERT INTO sale SELECT i, (i * 7919) % {rows} + 1, i % 13, 'customer ' || (i % 1000) FROM n;
CREATE INDEX sale_item ON sale(item);
CREATE INDEX item_name ON item(name);
SELECT who, sum(amount * price) FROM sale JOIN item ON item.id = sale.item
  GROUP BY who ORDER BY 2 DESC LIMIT 5;
UPDATE item SET note = note || name WHERE id % 3 = 0;
DELETE FROM sale WHERE id % 4 = 1;
SELECT count(*), count(DISTINCT name), group_concat(substr(note, 1, 2)) IS NULL FROM item;
SELECT name FROM item WHERE note LIKE '%77%' ORDER BY name LIMIT 5;
"""


def _cpp_source(units):
    """A C++ file that keeps a compiler busy: standard headers and many instantiations."""
    headers = ("algorithm", "functional", "iostream", "map", "memory", "regex", "set", "string",
               "unordered_map", "variant", "vector")
    text = [f"#include <{header}>" for header in headers]
    for i in range(units):
        text.append(f"""
struct Key{i} {{ int a; std::string b; auto operator<=>(const Key{i}&) const = default; }};
template <typename T> struct Table{i} {{
  std::map<Key{i}, std::vector<T>> rows;
  std::unordered_map<std::string, std::function<T(const T&)>> hooks;
  void Add(Key{i} key, T value) {{
    auto& row = rows[std::move(key)];
    row.push_back(std::move(value));
    std::sort(row.begin(), row.end());
    for (auto& [name, hook] : hooks) row.push_back(hook(row.front()));
  }}
}};
int Use{i}(int n) {{
  Table{i}<int> numbers; Table{i}<std::string> words;
  numbers.hooks["twice"] = [](const int& v) {{ return 2 * v; }};
  for (int k = 0; k < n; ++k) {{ numbers.Add({{k, "n"}}, k); words.Add({{k, "w"}}, std::to_string(k)); }}
  std::variant<int, std::string, Key{i}> any = Key{i}{{n, "x"}};
  return static_cast<int>(numbers.rows.size() + words.rows.size() + any.index());
}}""")
    return "\n".join(text) + "\n"


class Program:
    """A program that runs once, to its end."""

    unit = "s"
    timed = True
    figures = ()

    def __init__(self, name, executable, prepare, environment=None, check=None):
        self.base = self.name = name
        self.environment = environment or {}
        self._executable = executable
        self._prepare = prepare  # (path of the executable, context) -> arguments
        self._check = check or ["--version"]
        self._arguments = None

    def missing(self, _context):
        return None if self._path() else f"{self._executable} is not installed"

    def check_command(self, _context):
        return [self._path()] + self._check

    def measure(self, context, allocator, rest):
        del rest  # it is gone when its work is done
        if self._arguments is None:
            self._arguments = self._prepare(context)
        command = [self._path()] + self._arguments
        _, costs, disturbed = measure.run(context, command, allocator, self.environment)
        return measure.Sample(time=costs["seconds"], disturbed=disturbed,
                              cpu=costs["user_seconds"] + costs["system_seconds"],
                              peak_kib=costs["max_rss_kib"])

    def _path(self):
        return shutil.which(self._executable)


class Compiler(Program):
    """The allocator works in the compiler proper, which the driver starts."""

    def check_command(self, context):
        inner = subprocess.run([self._path(), "-print-prog-name=cc1plus"], capture_output=True,
                               text=True, check=False).stdout.strip()
        return [inner or self._path(), "--version"]


class Redis:
    """redis-server under redis-benchmark; only the server has the allocator."""

    base = name = "redis-server"
    unit = "s"
    timed = True
    figures = ()
    environment = {}
    _REQUESTS = 100_000
    # Strings of two sizes, lists, sets, hashes and sorted sets; then most keys are deleted.
    _LOADS = (
        ["-d", "100", "-t", "set,get,incr"],
        ["-d", "1500", "-t", "set,get"],
        ["-d", "60", "-t", "lpush,lpop,sadd,hset,zadd"],
        ["DEL", "key:__rand_int__"],
    )

    def missing(self, _context):
        for tool in ("redis-server", "redis-benchmark"):
            if not shutil.which(tool):
                return f"{tool} is not installed"
        return None

    def check_command(self, _context):
        return [shutil.which("redis-server"), "--version"]

    def measure(self, context, allocator, rest):
        with tempfile.TemporaryDirectory(dir=context.scratch) as directory:
            return self._measure_in(directory, context, allocator, rest)

    def _measure_in(self, directory, context, allocator, rest):
        socket = os.path.join(directory, "redis.sock")
        # No TCP port, and no file that outlives the run.
        command = ["redis-server", "--port", "0", "--unixsocket", socket, "--daemonize", "no",
                   "--save", "", "--appendonly", "no", "--dir", directory]
        neighbours = measure.Neighbours()
        server = subprocess.Popen(command, env=dict(os.environ, **allocator.environment()),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            self._await(server, socket)
            self._check_maps(server, allocator)
            sample, client_cpu = self._load(context, server, socket)
            sample.disturbed = neighbours.disturbed(sample.cpu + client_cpu)
            if rest:
                time.sleep(context.rest_seconds)
                sample.rest_kib = _status(server.pid, "VmRSS")
            if server.poll() is not None:
                raise RuntimeError(f"redis-server ended with {server.returncode}")
            return sample
        finally:
            server.kill()
            server.wait()

    def _load(self, context, server, socket):
        requests = str(max(1000, int(self._REQUESTS * context.scale)))
        before = os.times()
        start = time.monotonic()
        for load in self._LOADS:
            self._send(context, ["redis-benchmark", "-s", socket, "-q", "-P", "16", "-r",
                                 str(self._REQUESTS), "-n", requests] + load)
        seconds = time.monotonic() - start
        after = os.times()
        client_cpu = (after.children_user + after.children_system - before.children_user
                      - before.children_system)
        sample = measure.Sample(time=seconds, cpu=_cpu_seconds(server.pid),
                                peak_kib=_status(server.pid, "VmHWM"))
        return sample, client_cpu

    @staticmethod
    def _send(context, command):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=context.timeout, check=False)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"redis-benchmark: no end after {context.timeout:g} s") from None
        if done.returncode != 0:
            raise RuntimeError(f"redis-benchmark: {done.stderr.strip()[-200:]}")

    @staticmethod
    def _await(server, socket):
        for _ in range(200):
            if os.path.exists(socket):
                return
            if server.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("redis-server does not answer")

    @staticmethod
    def _check_maps(server, allocator):
        maps = pathlib.Path(f"/proc/{server.pid}/maps").read_text()
        if os.path.realpath(allocator.preload) not in maps:
            raise RuntimeError(f"redis-server has not mapped {allocator.preload}")


def _status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return float(line.split()[1])
    raise RuntimeError(f"process {pid} has no {key}")


def _cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _scaled(count, context):
    return max(1, round(count * context.scale))


def _write(context, name, text):
    path = os.path.join(context.scratch, name)
    pathlib.Path(path).write_text(text)
    return path


def _prepare_cpp(context):
    source = _write(context, "work.cc", _cpp_source(_scaled(25, context)))
    return ["-std=c++20", "-O1", "-c", source, "-o", source + ".o"]


def _prepare_sql(context):
    work = _write(context, "work.sql", _SQL_WORK.replace("{rows}", str(_scaled(120_000, context))))
    return [":memory:", f".read {work}"]


def _prepare_python(context):
    return [_write(context, "work.py", _PYTHON_WORK), str(_scaled(4, context))]


def _prepare_node(context):
    return [_write(context, "work.js", _NODE_WORK), str(_scaled(10, context))]


def _prepare_starts(context):
    return ["-c", 'i=0; while [ $i -lt "$0" ]; do /bin/true; i=$((i+1)); done',
            str(_scaled(400, context))]


def program_rows():
    return [
        Redis(),
        Compiler("g++", "g++", _prepare_cpp),
        Program("sqlite3", "sqlite3", _prepare_sql),
        # The executable itself: what is found on the PATH may be a script that starts it.
        Program("python3", sys.executable, _prepare_python, {"PYTHONMALLOC": "malloc"}),
        Program("node", "node", _prepare_node),
        Program("start-up", "sh", _prepare_starts, check=["-c", ":"]),
    ]
