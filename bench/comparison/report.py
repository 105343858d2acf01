"""Medians, ratios and the tables."""

import math
import statistics

SUBJECT = "cma"


def usable(samples):
    """The undisturbed runs if they are at least half of the good ones, else all good ones."""
    good = [s for s in samples if s.error is None]
    calm = [s for s in good if not s.disturbed]
    return calm if 2 * len(calm) >= len(good) else good


def _values(samples, pick):
    return [v for v in (pick(s) for s in samples) if v is not None]


def median(samples, pick):
    values = _values(samples, pick)
    return statistics.median(values) if values else None


def least(samples, pick):
    """Of times: what the allocator takes when nobody is in its way."""
    return min(_values(samples, pick), default=None)


def spread(samples, pick):
    """Highest less lowest, as a share of the median."""
    values = _values(samples, pick)
    return (max(values) - min(values)) / statistics.median(values) if len(values) > 1 else None


class Table:
    """Rows of one figure, one column per allocator; lower is better."""

    def __init__(self, title, allocators, unit=""):
        self.title = title
        self.unit = unit
        self.names = [a.name for a in allocators]
        self.rows = []  # (name, {allocator: value})
        self._notes = {}  # name -> what stands at the end of the row

    def add(self, name, values, note=""):
        if any(v is not None for v in values.values()):
            self.rows.append((name, values))
            self._notes[name] = note

    def ratio(self, values, name):
        """Value of `name` over the best of the others, and who that is; None if unknown."""
        own = values.get(name)
        others = {n: v for n, v in values.items() if n != name and v is not None and v > 0}
        if own is None or not others:
            return None, None
        best = min(others, key=others.get)
        return own / others[best], best

    def print(self):
        if not self.rows:
            return
        width = max(len(name) for name, _ in self.rows) + 1
        print(f"\n{self.title}")
        head = "".join(f"{name:>11}" for name in self.names)
        print(f"{'':{width}}{head}" + self._subject_head())
        for name, values in self.rows:
            cells = "".join(f"{_number(values.get(n)):>11}" for n in self.names)
            print(f"{name:{width}}{cells}" + self._subject_cell(values) + self._notes[name])

    def _subject_head(self):
        return f"   {SUBJECT}/best  best other" if SUBJECT in self.names else ""

    def _subject_cell(self, values):
        if SUBJECT not in self.names:
            return ""
        ratio, best = self.ratio(values, SUBJECT)
        return f"{'-':>11}" if ratio is None else f"{ratio:>11.3f}  {best}"

    def summary(self, name):
        """Geometric mean of `name` over the best of the others, worst row, rows won."""
        ratios = []
        for row, values in self.rows:
            ratio, best = self.ratio(values, name)
            if ratio is not None:
                ratios.append((ratio, row, best))
        if not ratios:
            return None
        mean = math.exp(statistics.fmean(math.log(max(r, 1e-9)) for r, _, _ in ratios))
        worst, row, best = max(ratios)
        return {"rows": len(ratios), "geometric_mean": mean, "worst": worst, "worst_row": row,
                "worst_best": best, "won": sum(1 for r, _, _ in ratios if r <= 1.0)}

    def print_summary(self):
        if not self.rows:
            return
        print(f"\n{self.title}: each allocator over the best of the others, row by row")
        print(f"{'':12}{'geo. mean':>10}{'best in':>12}   worst row")
        for name in self.names:
            s = self.summary(name)
            if s is None:
                continue
            won = f"{s['won']} of {s['rows']}"
            print(f"{name:12}{s['geometric_mean']:>10.3f}{won:>12}   {s['worst']:.2f} x "
                  f"{s['worst_best']} in {s['worst_row']}")


def _number(value):
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def tables(results, allocators, clock, statistic="median"):
    """Tables of time, peak RSS, RSS at rest, and of the rows' further figures.

    `results`: [(row, {allocator name: [Sample]})]
    """
    pick_time = (lambda s: s.cpu) if clock == "cpu" else (lambda s: s.time)
    kind = "processor time" if clock == "cpu" else "time"
    if statistic == "least":
        kind = "least " + kind
    time = Table(f"{kind} (ns per operation; programs: seconds)", allocators)
    peak = Table("peak RSS, MiB", allocators)
    rest = Table("RSS at rest after the load, MiB", allocators)
    ratios = Table("memory over live bytes, and per idle thread", allocators)
    latency = Table("latency of single calls, ns", allocators)
    for row, samples in results:
        calm = {name: usable(runs) for name, runs in samples.items()}

        def column(pick, samples=samples, of=median):
            return {name: of(runs, pick) for name, runs in samples.items()}

        # Neighbours cost time, not memory: only times leave the disturbed runs out.
        if row.timed:
            noise = _values([spread(runs, pick_time) for runs in calm.values()], lambda v: v)
            time.add(row.name, column(pick_time, calm, least if statistic == "least" else median),
                     f"  (spread {max(noise):.0%})" if noise else "")
        peak.add(row.name, column(lambda s: s.peak_kib and s.peak_kib / 1024))
        rest.add(row.name, column(lambda s: s.rest_kib and s.rest_kib / 1024))
        for _, label in row.figures:
            table, runs = (latency, calm) if label.endswith(" ns") else (ratios, samples)
            table.add(f"{row.name}: {label}", column(lambda s, k=label: s.figures.get(k), runs))
    return time, peak, rest, ratios, latency


# More threads than CPUs shall cost next to nothing: this share of the throughput remains.
OVERSUBSCRIBED = 0.95


class Scaling:
    """Operations per second of one scenario over the number of threads."""

    def __init__(self, base, rows, allocators):
        self.base = base
        self.threads = [row.threads for row, _ in rows]
        self.rates = {a.name: [median(usable(samples[a.name]), lambda s: s.ops_per_second)
                               for _, samples in rows] for a in allocators}

    def print(self):
        print(f"\n{self.base}: million operations per second")
        print(f"{'threads':12}" + "".join(f"{n:>10}" for n in self.threads))
        for name, rates in self.rates.items():
            cells = (f"{'-':>10}" if v is None else f"{v / 1e6:>10.3f}" for v in rates)
            print(f"{name:12}" + "".join(cells))

    def oversubscribed(self, name, cpus):
        """{threads: throughput over that at as many threads as there are CPUs}"""
        fitting = [n for n in self.threads if n <= cpus]
        if not fitting:
            return {}
        rates = dict(zip(self.threads, self.rates[name]))
        full = rates[max(fitting)]
        return {n: rate / full for n, rate in rates.items() if n > cpus and rate and full}


def scalings(results, allocators):
    bases = {}
    for row, samples in results:
        bases.setdefault(row.base, []).append((row, samples))
    return [Scaling(base, rows, allocators) for base, rows in bases.items()]


def print_oversubscription(all_scalings, allocators, cpus):
    """What more threads than CPUs leave of the throughput, and where it is too little."""
    ratios = {a.name: {} for a in allocators}
    for scaling in all_scalings:
        for name, rows in ratios.items():
            for threads, ratio in scaling.oversubscribed(name, cpus).items():
                rows[f"{scaling.base}/{threads}"] = ratio
    labels = [label for label in next(iter(ratios.values()), {})]
    if not labels:
        return ratios
    width = max(map(len, labels)) + 1
    print(f"\noversubscription: throughput over that at {cpus} threads, the number of CPUs")
    print(f"{'':{width}}" + "".join(f"{name:>11}" for name in ratios))
    for label in labels:
        cells = (rows.get(label) for rows in ratios.values())
        print(f"{label:{width}}" + "".join(f"{'-' if v is None else f'{v:.2f}':>11}" for v in cells))
    for name, rows in ratios.items():
        low = [f"{label} {ratio:.2f}" for label, ratio in rows.items() if ratio < OVERSUBSCRIBED]
        print(f"{name}: " + (f"below {OVERSUBSCRIBED} in " + ", ".join(low) if low
                             else f"nowhere below {OVERSUBSCRIBED}"))
    return ratios
