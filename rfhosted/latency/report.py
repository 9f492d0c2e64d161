"""What a benchmark found: a table, plots, a file, and whether it differs from another."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rfhosted import hosted
from rfhosted.display import html
from rfhosted.latency import statistics
from rfhosted.latency.published_table import published_e2e
from rfhosted.latency.records import Cell, Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from rfhosted.display.plots import Plot

_FORMAT = 1
_ELSEWHERE = (
    f"Published: {hosted.PUBLISHED_SOURCE}; measured at another place, on another day, on a plan"
    " that is not told."
)


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark:
    """Latencies, cell by cell; shows itself as a table and two plots.

    Attributes:
        samples: Every request that was made, in the order in which they ended.
        settings: How it was measured: requests, concurrency, rate, warmup, day, hosts.
        partial: Whether it was interrupted.
    """

    samples: tuple[Measurement, ...]
    settings: dict[str, Any]
    partial: bool = False

    @functools.cached_property
    def _cells(self) -> dict[Cell, list[Measurement]]:
        cells: dict[Cell, list[Measurement]] = {}
        for sample in self.samples:
            cells.setdefault(sample.cell, []).append(sample)
        # v2 before v1, small pictures before large ones
        order = sorted(cells, key=lambda c: (c.model, c.api_version != "v2", _pixels(c)))
        return {cell: cells[cell] for cell in order}

    @functools.cached_property
    def _rows(self) -> list[dict[str, Any]]:
        clients = None if self.settings["rate"] else self.settings["concurrency"]
        stand_ins = self.settings["stand_ins"]
        return [
            statistics.figures(cell, own, clients) | {"stand_in": stand_ins.get(cell.model)}
            for cell, own in self._cells.items()
        ]

    @property
    def simulated(self) -> bool:
        """Whether a simulator pretended any of the times."""
        pretended = any(sample.simulated for sample in self.samples)
        return pretended or self.settings.get("simulated", False)  # also where nothing was answered

    def rows(self) -> list[dict[str, Any]]:
        """One dict a cell; seconds, bytes, requests a second; None where unknown.

        ``n``: answers that the latencies are made of. ``errors``, ``error_kinds``: failed requests,
        in all and by kind. ``e2e_p50_low`` and ``_high``: where the median lies, with 95 %
        confidence. ``rate``: what the clients would get answered each second, asking this cell
        alone. ``late_max``: longest time from due to sent, in an open loop. ``cold_starts`` and
        ``cold_e2e_mean``: answers that waited for the model's loading, warm-ups among them.
        ``stand_in``: the model of this machine that answered in place of the one that was named.
        """
        return [dict(row) for row in self._rows]

    def parts(self) -> list[dict[str, Any]]:
        """Where the time goes: one dict a cell, the mean of each part in seconds.

        None where the answers do not tell; ``untold`` is what E2E has besides the known parts.
        """
        return [
            {"model": cell.model, "api_version": cell.api_version, "image_size": cell.image_size}
            | statistics.parts(own)
            for cell, own in self._cells.items()
        ]

    def to_pandas(self) -> pd.DataFrame:
        """``rows()`` as a DataFrame; pandas is in the extra ``lab``."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def plot(self) -> Plot:
        """E2E of each cell: the median and its interval, 95 of 100 answers, the published value."""
        from rfhosted.latency import plots

        return plots.latencies(self._rows, self._title(), late=bool(self.settings["rate"]))

    def plot_parts(self) -> Plot:
        """Where the time goes: mean parts of each cell, stacked."""
        from rfhosted.latency import plots

        return plots.parts(self.parts(), simulated=self.simulated)

    def compare(self, other: Benchmark) -> Changes:
        """This against another: slower or faster, by how much, and is it more than noise.

        Args:
            other: Measured before, or elsewhere.
        """
        return Changes.between(self, other)

    def save(self, path: str | Path) -> Path:
        """Write everything to a JSON file; the key is not in it.

        Args:
            path: Where to.
        """
        data = {
            "rfhosted_benchmark": _FORMAT,
            "settings": self.settings,
            "partial": self.partial,
            "samples": [sample.to_json() for sample in self.samples],
        }
        target = Path(path)
        target.write_text(json.dumps(data, indent=1), "utf-8")
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What ``save`` wrote.

        Args:
            path: Where from.

        Raises:
            ValueError: The file holds no benchmark.
        """
        data = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(data, dict) or data.get("rfhosted_benchmark") != _FORMAT:
            raise ValueError(f"{path} holds no benchmark that this version of rfhosted wrote.")
        samples = tuple(Measurement.from_json(sample) for sample in data["samples"])
        return cls(samples, data["settings"], data["partial"])

    def notes(self) -> list[str]:
        """What a reader should know of these figures."""
        how = self.settings
        loop = (
            f"open loop, {how['rate']:g} requests a second, E2E from when they were due"
            if how["rate"]
            else f"closed loop, {how['concurrency']} at once"
        )
        notes = [f"{', '.join(how['hosts'])}, {how['day']}; {loop}."]
        if labels := sorted({s.simulated for s in self.samples if s.simulated}):
            notes.append(f"Simulated: {', '.join(labels)}; no model looked at a picture.")
        if self.partial:
            notes.append("Interrupted: fewer requests than planned.")
        for name, local in how["stand_ins"].items():
            notes.append(f"{local} of this machine stood in for {name}, which needs an API key.")
        if failed := sum(row["errors"] for row in self._rows):
            notes.append(f"{failed} failed; they are in none of the latencies.")
        if cold := sum(row["cold_starts"] for row in self._rows):
            notes.append(f"{cold} cold starts; they are counted apart.")
        if any(0 < row["n"] < 100 for row in self._rows):
            notes.append("Where n is less than 100, p99 is hardly more than the slowest answer.")
        if any(row["exec_p50"] is None and row["n"] for row in self._rows):
            notes.append("A dash: not told by the server, or not known.")
        if any(published_e2e(row) for row in self._rows):
            notes.append(_ELSEWHERE)
        return notes

    def __repr__(self) -> str:
        return "\n".join([self._title(), html.text_table(self._shown()), *self.notes()])

    def _repr_html_(self) -> str:
        notes = "".join(f"<br><em>{html.escape(note)}</em>" for note in self.notes())
        plots = "".join(plot._repr_html_() for plot in (self.plot(), self.plot_parts()))
        return f"<div>{html.table(self._shown(), self._title())}<p>{notes[4:]}</p>{plots}</div>"

    def _shown(self) -> list[dict[str, Any]]:
        """The table's columns that fit a page, in milliseconds."""
        shown = []
        for row in self._rows:
            line = {name: row[name] for name in ("model", "api_version", "image_size", "n")}
            line["model"] += " (stand-in)" * bool(row["stand_in"])
            line["api_version"] = str(row["api_version"]) + " simulated" * row["simulated"]
            kinds = [f"{number} {kind}" for kind, number in row["error_kinds"].items()]
            line["errors"] = ", ".join(kinds) or 0
            line["p50 ms"] = _interval(row)
            for p in ("p90", "p95", "p99", "mean"):
                line[f"{p} ms"] = _ms(row[f"e2e_{p}"])
            line |= {"Exec ms": _ms(row["exec_p50"]), "published ms": _ms(published_e2e(row))}
            line |= {"answers/s": row["rate"], "kB up": _kb(row["bytes_up"])}
            line |= {"kB down": _kb(row["bytes_down"]), "cold": row["cold_starts"]}
            shown.append(line)
        return shown

    def _title(self) -> str:
        return self._finding() + (" (simulated)" if self.simulated else "")

    def _finding(self) -> str:
        """The first thing to learn from it, in a sentence."""
        good = [row for row in self._rows if row["e2e_p50"]]
        if not good:
            return "No request was answered"
        by_version = [
            (row, other)
            for row in good
            for other in good
            if (row["api_version"], other["api_version"]) == ("v2", "v1")
            and (row["model"], row["image_size"]) == (other["model"], other["image_size"])
        ]
        if by_version:
            return _versions(by_version)
        first, last = good[0], max(good, key=lambda row: row["e2e_p50"])
        first = min(good, key=lambda row: row["e2e_p50"])
        if first is last:
            return f"{_cell(first).label()}: {_ms(first['e2e_p50'])} ms E2E, half of the time"
        times = last["e2e_p50"] / first["e2e_p50"]
        return f"{_cell(last).label()} takes {times:.2g} times as long as {_cell(first).label()}"


@dataclass(frozen=True, repr=False)
class Changes:
    """Two benchmarks, cell by cell.

    Attributes:
        _rows: See ``rows``.
        simulated: Whether either was simulated.
    """

    _rows: tuple[dict[str, Any], ...]
    simulated: bool = False

    @classmethod
    def between(cls, new: Benchmark, old: Benchmark) -> Self:
        """``new`` against ``old``, where both have a cell."""
        rows = []
        for cell, own in new._cells.items():  # noqa: SLF001 - the same module's
            before = [s.e2e for s in old._cells.get(cell, ()) if s.counts and s.e2e is not None]  # noqa: SLF001
            after = [s.e2e for s in own if s.counts and s.e2e is not None]
            if not before or not after:
                continue
            p50 = [statistics.figures(cell, b._cells[cell], 1)["e2e_p50"] for b in (old, new)]  # noqa: SLF001
            interval = statistics.ratio_interval(after, before)
            rows.append(
                {
                    "model": cell.model,
                    "api_version": cell.api_version,
                    "image_size": cell.image_size,
                    "before": p50[0],
                    "after": p50[1],
                    "ratio": p50[1] / p50[0],
                    "ratio_low": interval and interval[0],
                    "ratio_high": interval and interval[1],
                    "verdict": _verdict(interval),
                }
            )
        return cls(tuple(rows), new.simulated or old.simulated)

    def rows(self) -> list[dict[str, Any]]:
        """One dict a cell that both have.

        ``before``, ``after``: medians in seconds. ``ratio``: after / before, more than 1 is slower;
        ``ratio_low`` and ``_high`` hold it with 95 % confidence. ``verdict``: "slower", "faster",
        "no more than noise", or "too few answers" (fewer than 5).
        """
        return [dict(row) for row in self._rows]

    def __repr__(self) -> str:
        return f"{self._caption()}\n{html.text_table(self._shown())}"

    def _repr_html_(self) -> str:
        return html.table(self._shown(), self._caption()) or html.escape(self._caption())

    def _caption(self) -> str:
        if not self._rows:
            return "The two benchmarks have no cell in common that was answered"
        return "Median E2E, after and before" + " (simulated)" * self.simulated

    def _shown(self) -> list[dict[str, Any]]:
        return [
            {name: row[name] for name in ("model", "api_version", "image_size")}
            | {"before ms": _ms(row["before"]), "after ms": _ms(row["after"])}
            | {name: row[name] for name in ("ratio", "ratio_low", "ratio_high", "verdict")}
            for row in self._rows
        ]


def _verdict(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return "too few answers"
    if interval[0] > 1:
        return "slower"
    return "faster" if interval[1] < 1 else "no more than noise"


def _versions(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    about = f"{pairs[0][0]['model']}: " if len(pairs) == 1 else ""
    if not any(_apart(v2, v1) for v2, v1 in pairs):
        return f"{about}v1 and V2 differ by no more than noise"
    ratios = [v1["e2e_p50"] / v2["e2e_p50"] for v2, v1 in pairs]
    low, high = (f"{ratio:.2g}" for ratio in (min(ratios), max(ratios)))
    return f"{about}v1 takes {low if low == high else f'{low} to {high}'} times as long as V2"


def _apart(row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two medians differ by more than noise: their intervals do not meet."""
    if row["e2e_p50_low"] is None or other["e2e_p50_low"] is None:
        return False
    below, above = sorted((row, other), key=lambda one: float(one["e2e_p50"]))
    return bool(below["e2e_p50_high"] < above["e2e_p50_low"])


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(row["model"], row["api_version"], row["image_size"])


def _pixels(cell: Cell) -> float:
    """Automatic first, then by size, the original last."""
    if cell.image_size is None:
        return 0
    return cell.image_size if isinstance(cell.image_size, int) else float("inf")


def _interval(row: dict[str, Any]) -> str | None:
    if row["e2e_p50_low"] is None:
        return _ms(row["e2e_p50"])
    return f"{_ms(row['e2e_p50'])} ({_ms(row['e2e_p50_low'])}-{_ms(row['e2e_p50_high'])})"


def _ms(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"{seconds * 1000:.1f}" if seconds < 0.01 else f"{seconds * 1000:.0f}"


def _kb(nbytes: float | None) -> str | None:
    return None if nbytes is None else f"{nbytes / 1000:.1f}"
