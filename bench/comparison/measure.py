"""One run of one program under one allocator."""

import dataclasses
import os
import pathlib
import subprocess
import tempfile
import time


@dataclasses.dataclass
class Sample:
    """What one run gave; None: it does not have that figure."""

    time: float = None  # ns per operation, or seconds
    cpu: float = None  # the same in processor time
    ops_per_second: float = None
    peak_kib: float = None
    rest_kib: float = None
    figures: dict = dataclasses.field(default_factory=dict)
    disturbed: bool = False
    error: str = None


@dataclasses.dataclass
class Context:
    """What every run needs to know."""

    bench_directory: str
    scratch: str
    rest_seconds: float
    scale: float  # of the operations per run
    timeout: float


def clock_ticks_busy():
    """Ticks that all processors of the machine spent working; None: unknown."""
    try:
        fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return user + nice + system + irq + softirq + steal


class Neighbours:
    """Measures how busy other processes kept the machine meanwhile."""

    # Beyond this share of one processor a run counts as disturbed.
    LIMIT = 0.25
    # Shorter runs count as this long: the kernel tells the work of each processor in steps of 10 ms.
    SHORTEST = 0.15

    def __init__(self):
        self._busy = clock_ticks_busy()
        self._start = time.monotonic()

    def disturbed(self, own_cpu_seconds):
        busy = clock_ticks_busy()
        if busy is None or self._busy is None:
            return False
        seconds = max(time.monotonic() - self._start, self.SHORTEST)
        others = (busy - self._busy) / os.sysconf("SC_CLK_TCK") - own_cpu_seconds
        return others / seconds > self.LIMIT


def read_pairs(text):
    """The key=value figures of a program's output."""
    pairs = {}
    for word in text.split():
        key, separator, value = word.partition("=")
        if separator:
            try:
                pairs[key] = float(value)
            except ValueError:
                pass
    return pairs


def run(context, command, allocator, environment=None):
    """Runs `command`; returns (its stdout, its costs, disturbed). Raises RuntimeError."""
    launcher = os.path.join(context.bench_directory, "run_measured")
    neighbours = Neighbours()
    with tempfile.NamedTemporaryFile("r", dir=context.scratch) as report:
        argv = [launcher, "--preload", allocator.preload, "--report", report.name, "--"] + command
        process = subprocess.Popen(argv, env=dict(os.environ, **(environment or {})),
                                   cwd=context.scratch, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   errors="replace", start_new_session=True)
        try:
            output, errors = process.communicate(timeout=context.timeout)
        except subprocess.TimeoutExpired:
            _end_group(process)
            raise RuntimeError(f"no end after {context.timeout:g} s") from None
        except BaseException:
            _end_group(process)
            raise
        costs = read_pairs(report.read())
    if process.returncode != 0:
        last = (errors.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{_ending(process.returncode)}: {last[:200]}")
    cpu = costs["user_seconds"] + costs["system_seconds"]
    return output, costs, neighbours.disturbed(cpu)


def _end_group(process):
    """Ends the launcher and the program, which are a session of their own."""
    os.killpg(process.pid, 9)
    process.communicate()


def _ending(status):
    return f"signal {status - 128}" if status > 128 else f"exit status {status}"
