"""Medians, ratios and the tables."""

import math
import statistics

SUBJECT = "cma"


def usable(samples):
    """The undisturbed runs if they are at least half of the good ones, else all good ones."""
    good = [s for s in samples if s.error is None]
    calm = [s for s in good if not s.disturbed]
    return calm if 2 * len(calm) >= len(good) else good


def median(samples, pick):
    values = [v for v in (pick(s) for s in samples) if v is not None]
    return statistics.median(values) if values else None


class Table:
    """Rows of one figure, one column per allocator; lower is better."""

    def __init__(self, title, allocators, unit=""):
        self.title = title
        self.unit = unit
        self.names = [a.name for a in allocators]
        self.rows = []  # (name, {allocator: value})

    def add(self, name, values):
        if any(v is not None for v in values.values()):
            self.rows.append((name, values))

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
            print(f"{name:{width}}{cells}" + self._subject_cell(values))

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


def tables(results, allocators, clock):
    """Tables of time, peak RSS, RSS at rest, and of the rows' further figures.

    `results`: [(row, {allocator name: [Sample]})]
    """
    pick_time = (lambda s: s.cpu) if clock == "cpu" else (lambda s: s.time)
    kind = "processor time" if clock == "cpu" else "time"
    time = Table(f"{kind} (ns per operation; programs: seconds)", allocators)
    peak = Table("peak RSS, MiB", allocators)
    rest = Table("RSS at rest after the load, MiB", allocators)
    ratios = Table("memory over live bytes, and per idle thread", allocators)
    latency = Table("latency of single calls, ns", allocators)
    for row, samples in results:
        calm = {name: usable(runs) for name, runs in samples.items()}

        def column(pick, samples=samples):
            return {name: median(runs, pick) for name, runs in samples.items()}

        # Neighbours cost time, not memory: only times leave the disturbed runs out.
        if row.timed:
            time.add(row.name, column(pick_time, calm))
        peak.add(row.name, column(lambda s: s.peak_kib and s.peak_kib / 1024))
        rest.add(row.name, column(lambda s: s.rest_kib and s.rest_kib / 1024))
        for _, label in row.figures:
            table, runs = (latency, calm) if label.endswith(" ns") else (ratios, samples)
            table.add(f"{row.name}: {label}", column(lambda s, k=label: s.figures.get(k), runs))
    return time, peak, rest, ratios, latency


def print_scaling(results, allocators):
    """Operations per second over the number of threads, one table per scenario."""
    bases = {}
    for row, samples in results:
        bases.setdefault(row.base, []).append((row, samples))
    for base, rows in bases.items():
        print(f"\n{base}: million operations per second")
        print(f"{'threads':12}" + "".join(f"{row.threads:>10}" for row, _ in rows))
        for allocator in allocators:
            cells = []
            for _, samples in rows:
                value = median(usable(samples[allocator.name]), lambda s: s.ops_per_second)
                cells.append(f"{'-':>10}" if value is None else f"{value / 1e6:>10.3f}")
            print(f"{allocator.name:12}" + "".join(cells))
