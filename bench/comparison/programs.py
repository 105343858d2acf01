"""The rows of the table that are other people's programs, by the scripts of bench/programs."""

import os
import shutil
import subprocess
import sys

from . import measure


class Program:
    """A script that runs a program and prints what it took."""

    unit = "s"
    timed = True
    figures = ()

    def __init__(self, name, script, operations, needs, check=("--version",), environment=None):
        self.base = self.name = name
        self.environment = environment or {}  # what the script sets for the program
        self._script = script
        self._operations = operations
        self._needs = needs  # the first one is what the allocator works in
        self._check = list(check)

    def missing(self, context):
        for program in self._needs:
            if not shutil.which(program):
                return f"{program} is not installed"
        path = self._path(context)
        return None if os.path.exists(path) else f"{path} is not built"

    def check_command(self, _context):
        return [shutil.which(self._needs[0])] + self._check

    def measure(self, context, allocator, rest):
        command = [self._path(context), "--ops", str(max(1, round(self._operations * context.scale)))]
        if rest:
            command += ["--rest-seconds", f"{context.rest_seconds:g}"]
        output, costs, disturbed = measure.run(context, command, allocator)
        found = measure.read_pairs(output)
        # A server's figures are its own; those of the others are the script's with all it started.
        return measure.Sample(
            time=found["seconds"],
            cpu=found.get("cpu_seconds", costs["user_seconds"] + costs["system_seconds"]),
            peak_kib=found.get("peak_rss_kib", costs["max_rss_kib"]),
            rest_kib=found.get("rss_rest_kib") if rest else None, disturbed=disturbed)

    def _path(self, context):
        return os.path.join(context.bench_directory, "programs", self._script)


class Compiler(Program):
    """The allocator works in the compiler proper, which the driver starts."""

    def check_command(self, context):
        driver = shutil.which(self._needs[0])
        inner = subprocess.run([driver, "-print-prog-name=cc1plus"], capture_output=True, text=True,
                               check=False).stdout.strip()
        return [inner or driver, "--version"]


class Python(Program):
    """What is found on the PATH may be a script that starts the executable."""

    def check_command(self, _context):
        return [sys.executable] + self._check


def program_rows():
    return [
        Program("redis-server", "redis.sh", 100_000, ("redis-server", "redis-benchmark")),
        Compiler("g++", "gxx.sh", 25, ("g++",)),
        Program("sqlite3", "sqlite.sh", 120_000, ("sqlite3",)),
        Python("python3", "python.sh", 4, ("python3",), environment={"PYTHONMALLOC": "malloc"}),
        Program("node", "node.sh", 10, ("node",)),
        Program("start-up", "start_up.sh", 400, ("sh",), check=("-c", ":")),
    ]
