"""From samples to figures. Failed requests, warm-ups and cold starts never enter a latency."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rfhosted.latency.records import Cell, Measurement

    Floats = npt.NDArray[np.float64]

#: Of all samples that could have been drawn, how many are drawn, and the middle that is told.
_RESAMPLES, _LOW, _HIGH = 2000, 2.5, 97.5
_PERCENTILES = (50, 90, 95, 99)


def figures(cell: Cell, samples: Sequence[Measurement], clients: int | None) -> dict[str, Any]:
    """A row of the table: seconds and bytes, None where unknown.

    ``rate`` is what ``clients`` would get answered each second if they asked nothing but this cell;
    in an open loop (no ``clients``), what was answered each second.

    Args:
        cell: Which.
        samples: All of that cell.
        clients: How many asked at once, each waiting for its answer; None for an open loop.
    """
    measured = [sample for sample in samples if not sample.warmup]
    good = [sample for sample in measured if sample.counts]
    failed = Counter(sample.error for sample in measured if sample.error)
    e2e = [sample.e2e for sample in good if sample.e2e is not None]
    low, high = median_interval(e2e)
    cold = [sample.e2e for sample in samples if sample.cold and sample.e2e is not None]
    row: dict[str, Any] = {
        "model": cell.model,
        "api_version": cell.api_version,
        "image_size": cell.image_size,
        "n": len(good),
        "errors": sum(failed.values()),
        "error_kinds": dict(failed),
    }
    for p in _PERCENTILES:
        row[f"e2e_p{p}"] = float(np.percentile(e2e, p)) if e2e else None
    return row | {
        "e2e_mean": statistics.fmean(e2e) if e2e else None,
        "e2e_p50_low": low,
        "e2e_p50_high": high,
        "exec_p50": _median([sample.timing.exec for sample in good if sample.timing]),
        "rate": _rate(measured, clients),
        "bytes_up": _median([sample.bytes_up for sample in good]),
        "bytes_down": _median([sample.bytes_down for sample in good]),
        "late_max": max((sample.late for sample in measured), default=None),
        "cold_starts": len(cold),
        "cold_e2e_mean": statistics.fmean(cold) if cold else None,
        "simulated": any(sample.simulated for sample in samples),
    }


def parts(samples: Sequence[Measurement]) -> dict[str, float | None]:
    """Mean of each part of the way, seconds: unlike medians, means add up.

    ``late`` comes first. A part that one answer does not tell is None; what E2E has besides the
    known parts is ``untold``.
    """
    good = [sample for sample in samples if sample.counts]
    told: dict[str, float | None] = {"late": _mean([sample.late for sample in good])}
    each = [sample.timing.parts() for sample in good if sample.timing]
    names = list(each[0]) if each else []
    told |= {name: _mean([one[name] for one in each]) for name in names}
    e2e = _mean([sample.e2e for sample in good])
    inside = sum(told[name] or 0.0 for name in told if name not in ("prepare", "parse"))
    told["untold"] = None if e2e is None else max(0.0, e2e - inside)
    return told


def median_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Where the median lies, with 95 % confidence, by bootstrap; None for fewer than 5 values."""
    if len(values) < 5:
        return None, None
    low, high = np.percentile(_medians(values, 0), [_LOW, _HIGH])
    return float(low), float(high)


def ratio_interval(values: Sequence[float], others: Sequence[float]) -> tuple[float, float] | None:
    """Where the ratio of two medians lies, with 95 % confidence; None for fewer than 5 values."""
    if min(len(values), len(others)) < 5:
        return None
    low, high = np.percentile(_medians(values, 1) / _medians(others, 2), [_LOW, _HIGH])
    return float(low), float(high)


def _medians(values: Sequence[float], seed: int) -> Floats:
    drawn = np.random.default_rng(seed).choice(np.asarray(values), (_RESAMPLES, len(values)))
    return np.asarray(np.median(drawn, axis=1), dtype=np.float64)


def _rate(measured: Sequence[Measurement], clients: int | None) -> float | None:
    answered = sum(sample.timing is not None for sample in measured)
    if clients is None:
        ends = [sample.began + sample.busy for sample in measured]
        begins = [sample.began - sample.late for sample in measured]
        seconds = max(ends, default=0.0) - min(begins, default=0.0)
    else:
        seconds = sum(sample.busy for sample in measured) / clients
    return answered / seconds if seconds > 0 else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known and len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None
