"""What a benchmark found: a table, plots, a file, and whether it differs from another."""

from __future__ import annotations

import functools
import itertools
import json
import statistics
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

from rfhosted import errors, hosted
from rfhosted.display.tables import Row, Table
from rfhosted.display.units import counted, kilobytes, milliseconds
from rfhosted.endpoints.call import Call
from rfhosted.hosted import ApiVersion
from rfhosted.latency.published_table import published_e2e
from rfhosted.latency.records import Measurement, Settings, from_json, identity, label
from rfhosted.latency.statistics import Statistics, parts, ratio_interval
from rfhosted.outputs.files import expanded, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rfhosted.display.plots import Plot

_FORMAT = 1
_ELSEWHERE = (
    f"Published: {hosted.PUBLISHED_SOURCE}; measured in another place, on another day, on an"
    " unknown plan."
)


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark(Table):
    """Latencies, cell by cell; shows itself as a table and two plots.

    Attributes:
        samples: Every request that ended, warm-ups first.
        settings: How it was measured.
        partial: Whether it was interrupted.
    """

    samples: tuple[Measurement, ...]
    settings: Settings
    partial: bool = False

    @functools.cached_property
    def _cells(self) -> dict[Call, list[Measurement]]:
        cells: dict[Call, list[Measurement]] = {}
        for measurement in self.samples:
            cells.setdefault(measurement.cell, []).append(measurement)
        return {cell: cells[cell] for cell in sorted(cells, key=_order)}

    @functools.cached_property
    def _statistics(self) -> dict[Call, Statistics]:
        clients = None if self.settings.rate else max(1, self.settings.concurrency)
        stand_ins = self.settings.stand_ins
        return {
            cell: Statistics.of(cell, own, clients=clients, stand_in=stand_ins.get(str(cell.model)))
            for cell, own in self._cells.items()
        }

    @property
    def simulated(self) -> bool:
        """Whether a simulator chose any of the times."""
        return self.settings.simulated or any(m.simulated for m in self.samples)

    def rows(self) -> list[Row]:
        """One dict a cell, with the fields of ``rfhosted.latency.Statistics``.

        Seconds, bytes, requests a second; None where unknown.
        """
        return [asdict(statistics) for statistics in self._statistics.values()]

    def parts(self) -> list[Row]:
        """Where the time goes: one dict a cell, the mean of each part in seconds.

        None where the responses do not report it; ``other`` is what E2E has besides the known
        parts.
        """
        return [identity(cell) | parts(own) for cell, own in self._cells.items()]

    def plot(self) -> Plot:
        """E2E of each cell: the median and its interval, p95, the published value."""
        from rfhosted.latency import plots

        return plots.latencies(self._statistics, self._title(), open_loop=bool(self.settings.rate))

    def plot_parts(self) -> Plot:
        """Where the time goes: mean parts of each cell, stacked."""
        from rfhosted.latency import plots

        means = {cell: parts(own) for cell, own in self._cells.items()}
        return plots.parts(means, simulated=self.simulated)

    def compare(self, other: Benchmark) -> Changes:
        """This benchmark against another: slower or faster, by how much, and is it more than noise.

        Args:
            other: The one to compare with, measured earlier or elsewhere.
        """
        rows = []
        for cell, own in self._cells.items():
            before = [m.e2e for m in other._cells.get(cell, ()) if m.counts and m.e2e]
            after = [m.e2e for m in own if m.counts and m.e2e]
            if before and after:
                rows.append(_change(cell, before, after))
        return Changes(tuple(rows), self.simulated or other.simulated)

    def save(self, path: str | Path) -> Path:
        """Write everything to a JSON file; the API key is not in it.

        Args:
            path: Where to; ``~`` is the home folder. A file of that name is replaced when the new
                one is complete.

        Raises:
            OSError: The file cannot be written; what was there before is still there.
        """
        data = {
            "rfhosted_benchmark": _FORMAT,
            "settings": asdict(self.settings),
            "partial": self.partial,
            "samples": [measurement.to_json() for measurement in self.samples],
        }
        return write_whole(path, json.dumps(data, indent=1, allow_nan=False).encode())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What ``save`` wrote.

        Args:
            path: Where from; ``~`` is the home folder.

        Raises:
            ValueError: The file is not a benchmark, is damaged, or is from a newer version.
            OSError: The file cannot be read.
        """
        problem: str | Exception = "it is not the file of a benchmark"
        try:
            data = json.loads(expanded(path).read_bytes().decode("utf-8"))
            written = data.get("rfhosted_benchmark") if isinstance(data, dict) else None
            if written == _FORMAT:
                samples = from_json(tuple[Measurement, ...], data["samples"])
                settings = from_json(Settings, data["settings"])
                return cls(samples, settings, from_json(bool, data["partial"]))
            if written is not None:
                problem = f"its format is {str(written)[:20]!r}; this rfhosted reads {_FORMAT}"
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            problem = f"it is damaged ({type(error).__name__}: {str(error)[:200]})"
        raise ValueError(f"{path} cannot be loaded as a benchmark: {problem}.")

    def notes(self) -> list[str]:
        """What a reader should know about these numbers."""
        settings = self.settings
        loop = f"closed loop, {counted(settings.concurrency, 'client')}"
        if settings.rate:
            loop = f"open loop, {settings.rate:g} requests a second, E2E from when they were due"
        notes = [f"{', '.join(settings.hosts)}, {settings.day}; {loop}."]
        if labels := sorted({m.simulated for m in self.samples if m.simulated}):
            notes.append(f"Simulated: {', '.join(labels)}; no model saw an image.")
        if self.partial:
            notes.append("Interrupted: fewer requests than planned.")
        for name, local in settings.stand_ins.items():
            notes.append(
                f"The local model {local} is a stand-in for {name}: that needs an API key."
            )
        return [*notes, *_cautions(list(self._statistics.values()))]

    _notes = notes

    def _example_row(self) -> Row:
        return asdict(Statistics.of(Call(), ()))

    def _plots(self) -> Sequence[Plot]:
        return self.plot(), self.plot_parts()

    def _readable(self) -> list[Row]:
        return [_readable(row) for row in self._statistics.values()]

    def _title(self) -> str:
        return _finding(self._statistics) + " (simulated)" * self.simulated


@dataclass(frozen=True, eq=False, repr=False)
class Changes(Table):
    """Two benchmarks, cell by cell; ``Benchmark.compare`` makes it.

    Attributes:
        simulated: Whether either was simulated.
    """

    _rows: tuple[Row, ...]
    simulated: bool = False

    def rows(self) -> list[Row]:
        """One dict for each cell that both have.

        ``before``, ``after``: medians in seconds. ``ratio``: after / before, more than 1 is slower;
        ``ratio_low`` and ``_high``: its 95 % confidence interval. ``verdict``: "slower", "faster",
        "no more than noise", or "too few requests" (fewer than 5).
        """
        return [dict(row) for row in self._rows]

    def _example_row(self) -> Row:
        return _change(Call(), [1.0], [1.0])

    def _title(self) -> str:
        if not self._rows:
            return "The two benchmarks have no cell with successful requests in common"
        return "Median E2E, before and after" + " (simulated)" * self.simulated

    def _readable(self) -> list[Row]:
        return [
            {name: row[name] for name in ("model", "api_version", "image_size")}
            | {f"{name} ms": _ms(row[name]) for name in ("before", "after")}
            | {name: row[name] for name in ("ratio", "ratio_low", "ratio_high", "verdict")}
            for row in self._rows
        ]


def _change(cell: Call, before: Sequence[float], after: Sequence[float]) -> Row:
    low, high = ratio_interval(after, before)
    verdict = "too few requests"
    if low is not None and high is not None:
        verdict = "slower" if low > 1 else "faster" if high < 1 else "no more than noise"
    medians = statistics.median(before), statistics.median(after)
    return identity(cell) | {
        "before": medians[0],
        "after": medians[1],
        "ratio": medians[1] / medians[0],
        "ratio_low": low,
        "ratio_high": high,
        "verdict": verdict,
    }


def _finding(cells: dict[Call, Statistics]) -> str:
    """The first thing to learn from a benchmark, in a sentence."""
    medians = {cell: own.e2e_p50 for cell, own in cells.items() if own.e2e_p50}
    if not medians:
        return "No request succeeded"
    fast, slow = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    versions = [
        (v2, v1)
        for v2, v1 in itertools.product(medians, medians)
        if v1.api_version is ApiVersion.V1 and replace(v1, api_version=ApiVersion.V2) == v2
    ]
    if versions:
        about = f"{versions[0][0].model}: " if len(versions) == 1 else ""
        if not any(_apart(cells[v2], cells[v1]) for v2, v1 in versions):
            return f"{about}v1 and V2 differ by no more than noise"
        ratios = [medians[v1] / medians[v2] for v2, v1 in versions]
        low, high = f"{min(ratios):.2g}", f"{max(ratios):.2g}"
        return f"{about}v1 takes {low if low == high else f'{low} to {high}'} times as long as V2"
    if fast == slow:
        return f"{label(fast)}: median E2E {milliseconds(medians[fast])}"
    times = medians[slow] / medians[fast]
    return f"{label(slow)} takes {times:.2g} times as long as {label(fast)}"


def _apart(one: Statistics, other: Statistics) -> bool:
    """Whether two medians differ by more than noise: their intervals do not meet."""
    ends = min(one.e2e_p50_high or 0.0, other.e2e_p50_high or 0.0)
    return 0 < ends < max(one.e2e_p50_low or 0.0, other.e2e_p50_low or 0.0)


def _order(cell: Call) -> tuple[str, bool, float]:
    """By model, V2 first, automatic size first, the original last."""
    pixels = cell.image_size or 0
    size = float("inf") if isinstance(pixels, str) else pixels
    return str(cell.model), cell.api_version is not ApiVersion.V2, size


def _cautions(rows: Sequence[Statistics]) -> list[str]:
    """What to know before trusting the numbers."""
    notes = []
    if failed := sum(row.errors for row in rows):
        notes.append(f"{counted(failed, 'request')} failed and count in no latency.")
    kinds = {kind for row in rows for kind in row.error_kinds}
    if own := sorted(kind for kind in kinds if not hasattr(errors, kind.partition(" ")[0])):
        notes.append(f"{', '.join(own)}: an error in rfhosted itself. Please report it.")
    if cold := sum(row.cold_starts for row in rows):
        notes.append(f"{counted(cold, 'cold start')}, counted separately.")
    if any(0 < row.n < 100 for row in rows):
        notes.append("With fewer than 100 requests, p99 is close to the slowest of them.")
    if any(row.exec_p50 is None and row.n for row in rows):
        notes.append("A dash: not reported by the server, or unknown.")
    if any(map(published_e2e, rows)):
        notes.append(_ELSEWHERE)
    return notes


def _readable(row: Statistics) -> Row:
    """The columns that fit a page, in milliseconds."""
    median = _ms(row.e2e_p50)
    if row.e2e_p50_low is not None:
        median = f"{median} ({_ms(row.e2e_p50_low)}-{_ms(row.e2e_p50_high)})"
    kinds = [f"{number} {kind}" for kind, number in row.error_kinds.items()]
    return {
        "model": f"{row.model} (stand-in)" if row.stand_in else row.model,
        "api_version": f"{row.api_version} simulated" if row.simulated else row.api_version,
        "image_size": row.image_size,
        "n": row.n,
        "errors": ", ".join(kinds) or 0,
        "p50 ms": median,
        "p90 ms": _ms(row.e2e_p90),
        "p95 ms": _ms(row.e2e_p95),
        "p99 ms": _ms(row.e2e_p99),
        "mean ms": _ms(row.e2e_mean),
        "Exec ms": _ms(row.exec_p50),
        "published ms": _ms(published_e2e(row)),
        "requests/s": row.rate,
        "kB up": kilobytes(row.bytes_up, unit="", missing="-"),
        "kB down": kilobytes(row.bytes_down, unit="", missing="-"),
        "cold": row.cold_starts,
    }


def _ms(seconds: float | None) -> str:
    return milliseconds(seconds, unit="", missing="-")
