"""The rows of the table that are scenarios, and the list of all rows."""

import os

from . import measure, programs

# Operations per run, for about half a second to a second with a good allocator on one core of 2020s
# make. (name, operations, thread counts, further arguments by variant)
_TIMED = (
    ("single_size_loop", 60_000_000, (1, 8), {"64B": ["--size", "64"], "1KiB": ["--size", "1024"]}),
    ("thread_local_churn", 30_000_000, (1, 2, 8), {}),
    ("batch_order", 20_000_000, (1, 2, 8), {}),
    ("slot_churn", 8_000_000, (1, 2, 8), {}),
    ("larson_server", 20_000_000, (1, 2, 8), {}),
    ("producer_consumer", 10_000_000, (1, 2, 8), {}),
    ("thread_phases", 6_000_000, (1, 2, 8), {}),
    ("false_sharing", 8_000_000, (2, 8), {"active": ["--mode", "active"],
                                          "passive": ["--mode", "passive"]}),
    ("large_churn", 80_000, (1, 2, 8), {}),
    ("huge_blocks", 500, (1, 2), {}),
    ("realloc_ladder", 400_000, (1, 2), {}),
    ("ast_builder", 4_000_000, (1, 2, 8), {}),
    ("json_store", 200_000, (1, 2, 8), {}),
    ("kv_store", 3_000_000, (1, 2, 8), {}),
    ("steady_random", 3_000_000, (1, 2, 8), {}),
    ("kv_server/kv_server", 1_000_000, (2,), {}),
)

# Flags for data that each thread has for itself, and their defaults.
_DATA_PER_THREAD = {
    "batch_order": ("--batch", 10_000),
    "large_churn": ("--window", 32),
    "larson_server": ("--slots", 5_000),
    "slot_churn": ("--slots", 4_000),
    "thread_local_churn": ("--window", 1_000),
    "thread_phases": ("--objects", 20_000),
}

_RATIOS = (("peak_rss_over_peak_live", "peak RSS / peak live"),
           ("rest_rss_over_live", "RSS / live at rest"))

_LATENCIES = tuple((f"{call}_{quantile}_ns", f"{call} {quantile} ns")
                   for call in ("malloc", "free") for quantile in ("p50", "p99", "p9999", "max"))

# Whole stories whose length is not to be scaled, with the figures that matter.
# (name, thread counts, arguments by variant, figures, timed)
_STORIES = (
    ("fragmentation_ager", (1, 2), {}, _RATIOS, True),
    ("sparse_survivors", (1, 2), {}, _RATIOS, True),
    ("block_overhead", (1,), {f"{n}B": ["--size", str(n)] for n in (520, 4100, 33000)},
     (("rss_over_live", "RSS / live"),), False),
    ("realloc_ladder", (1,), {"grow": ["--mode", "grow"]}, _RATIOS[:1], False),
    ("idle_threads", (1,), {"1000": [], "1000-after-work": ["--churn-kib", "256"]},
     (("rss_per_thread_kib", "KiB per idle thread"),), False),
)


class Scenario:
    """A program of bench/scenario at one number of threads."""

    unit = "ns/op"

    def __init__(self, program, threads, variant="", arguments=(), operations=None, figures=(),
                 timed=True):
        self.base = os.path.basename(program) + (f":{variant}" if variant else "")
        self.name = f"{self.base}/{threads}"
        self.threads = threads
        self.figures = figures  # (key in the program's output, label)
        self.timed = timed
        self.environment = {}
        self._program = program
        self._arguments = list(arguments)
        self._operations = operations

    def missing(self, context):
        path = self._path(context)
        return None if os.path.exists(path) else f"{path} is not built"

    def check_command(self, context):
        return [self._path(context), "--help"]

    def measure(self, context, allocator, rest):
        command = [self._path(context), "--threads", str(self.threads)] + self._arguments
        if self._operations:
            command += ["--ops", str(max(1, int(self._operations * context.scale)))]
        command += ["--rest-seconds", f"{context.rest_seconds if rest else 0:g}"]
        output, costs, disturbed = measure.run(context, command, allocator)
        found = measure.read_pairs(output)
        sample = measure.Sample(disturbed=disturbed)
        sample.ops_per_second = found["ops_per_second"]
        if self.timed:
            sample.time = 1e9 / found["ops_per_second"]
            sample.cpu = (costs["user_seconds"] + costs["system_seconds"]) * 1e9 / found["ops"]
        sample.peak_kib = found["peak_rss_kib"]
        sample.rest_kib = found.get("rss_rest_kib") if rest else None
        sample.figures = {label: found[key] for key, label in self.figures if key in found}
        return sample

    def _path(self, context):
        return os.path.join(context.bench_directory, self._program)


def _variants(variants):
    return variants.items() if variants else (("", ()),)


def _same_data(program, threads):
    """Flags that leave more threads than CPUs as much data, together, as one thread per CPU has.

    Else the caches of the CPUs, and not the allocator, would decide over a scenario's scaling.
    """
    cpus = len(os.sched_getaffinity(0))
    if threads <= cpus or program not in _DATA_PER_THREAD:
        return []
    flag, default = _DATA_PER_THREAD[program]
    return [flag, str(max(1, default * cpus // threads))]


def scaling_rows(threads):
    """The timed scenarios at each of these numbers of threads."""
    rows = []
    for program, operations, _, variants in _TIMED:
        for variant, arguments in _variants(variants):
            rows += [Scenario(program, n, variant, [*arguments, *_same_data(program, n)], operations)
                     for n in threads]
    return rows


def scenario_rows():
    """All scenario rows of the usual table."""
    rows = []
    for program, operations, counts, variants in _TIMED:
        figures = _RATIOS[:1] if program == "steady_random" else ()
        for variant, arguments in _variants(variants):
            rows += [Scenario(program, n, variant, arguments, operations, figures)
                     for n in counts]
    for churn in ("slot", "thread-local"):
        rows += [Scenario("latency", n, churn, ["--churn", churn], 5_000_000, _LATENCIES, timed=False)
                 for n in (1, 2, 8)]
    for program, counts, variants, figures, timed in _STORIES:
        for variant, arguments in _variants(variants):
            rows += [Scenario(program, n, variant, arguments, None, figures, timed)
                     for n in counts]
    return rows


def all_rows():
    return scenario_rows() + programs.program_rows()
