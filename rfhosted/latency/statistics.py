"""From measurements to statistics. Failures, warm-ups and cold starts never enter a latency."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rfhosted.prediction.timing import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rfhosted.endpoints.call import Call
    from rfhosted.hosted import ApiVersion
    from rfhosted.images.upload import ImageSize
    from rfhosted.latency.records import Measurement

    Floats = npt.NDArray[np.float64]

#: Bootstrap samples, and the percentiles of their medians that make a 95 % interval.
_RESAMPLES, _LOW, _HIGH = 2000, 2.5, 97.5
#: Values that are drawn at a time.
_BLOCK = 1_000_000
#: Fewest values that have an interval.
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Statistics:
    """One cell of a benchmark: seconds, bytes, requests a second; None where unknown.

    Attributes:
        model: Its public name, or its id.
        api_version: v1 or V2.
        image_size: Longest side sent, in pixels; "original"; None for automatic.
        n: Successes that the latencies are made of.
        errors: Failed requests, warm-ups not counted.
        error_kinds: Kind of failure -> number.
        e2e_p50: Median of E2E; in an open loop, E2E counts from when the request was due.
        e2e_p90: 90th percentile.
        e2e_p95: 95th percentile.
        e2e_p99: 99th percentile.
        e2e_mean: Mean.
        e2e_p50_low: Lower end of the 95 % confidence interval of the median.
        e2e_p50_high: Its upper end.
        exec_p50: Median of Exec, as the server reports it.
        rate: Responses a second that the clients would get if they requested this cell alone; in
            an open loop, those they got.
        bytes_up: Median of the whole request body.
        bytes_down: Median of the response body, decompressed.
        late_max: Longest time from due to sent.
        cold_starts: Successes that waited until the model was loaded, warm-ups included.
        cold_e2e_mean: Mean E2E of those.
        simulated: Whether a simulator chose the times.
        stand_in: The local model that was used instead of the requested one.
    """

    model: str | None
    api_version: ApiVersion | None
    image_size: ImageSize
    n: int
    errors: int
    error_kinds: dict[str, int]
    e2e_p50: float | None
    e2e_p90: float | None
    e2e_p95: float | None
    e2e_p99: float | None
    e2e_mean: float | None
    e2e_p50_low: float | None
    e2e_p50_high: float | None
    exec_p50: float | None
    rate: float | None
    bytes_up: float | None
    bytes_down: float | None
    late_max: float | None
    cold_starts: int
    cold_e2e_mean: float | None
    simulated: bool
    stand_in: str | None

    @classmethod
    def of(
        cls,
        cell: Call,
        measurements: Sequence[Measurement],
        *,
        clients: int | None = 1,
        stand_in: str | None = None,
    ) -> Statistics:
        """The statistics of one cell.

        Args:
            cell: What was requested.
            measurements: All of that cell.
            clients: How many sent requests at once, each waiting for its response; None for an
                open loop.
            stand_in: The local model that was used instead.
        """
        measured = [m for m in measurements if not m.warmup]
        good = [m for m in measured if m.counts]
        failed = Counter(m.error for m in measured if m.error)
        e2e = [m.e2e for m in good if m.e2e is not None]
        cold = [m.e2e for m in measurements if m.cold and m.e2e is not None]
        p50, p90, p95, p99 = map(float, np.percentile(e2e, [50, 90, 95, 99])) if e2e else [None] * 4
        low, high = median_interval(e2e)
        return cls(
            model=cell.model,
            api_version=cell.api_version,
            image_size=cell.image_size,
            n=len(good),
            errors=sum(failed.values()),
            error_kinds=dict(failed),
            e2e_p50=p50,
            e2e_p90=p90,
            e2e_p95=p95,
            e2e_p99=p99,
            e2e_mean=_mean(e2e),
            e2e_p50_low=low,
            e2e_p50_high=high,
            exec_p50=_median([m.timing.exec for m in good if m.timing]),
            rate=_rate(measured, clients),
            bytes_up=_median([m.bytes_up for m in good]),
            bytes_down=_median([m.bytes_down for m in good]),
            late_max=max((m.late for m in measured), default=None),
            cold_starts=len(cold),
            cold_e2e_mean=_mean(cold),
            simulated=any(m.simulated for m in measurements),
            stand_in=stand_in,
        )


def parts(measurements: Sequence[Measurement]) -> dict[str, float | None]:
    """Mean seconds of each part of a request's time: unlike medians, means add up.

    ``late`` comes first, then PARTS; ``other`` is what E2E has besides the known parts. A part that
    one response does not report is None.
    """
    good = [m for m in measurements if m.counts]
    each = [m.timing.parts() for m in good if m.timing]
    means = {"late": _mean([m.late for m in good])}
    means |= {name: _mean([one[name] for one in each]) for name in PARTS}
    e2e = _mean([m.e2e for m in good])
    known = sum(means[name] or 0.0 for name in means if name not in ("prepare", "parse"))
    return means | {"other": None if e2e is None else max(0.0, e2e - known)}


def median_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """95 % confidence interval of the median, by bootstrap; None for fewer than 5 values."""
    if len(values) < _FEWEST:
        return None, None
    low, high = np.percentile(_medians(values, 0), [_LOW, _HIGH])
    return float(low), float(high)


def ratio_interval(
    values: Sequence[float], others: Sequence[float]
) -> tuple[float | None, float | None]:
    """95 % confidence interval of the ratio of two medians; None for fewer than 5 values."""
    if min(len(values), len(others)) < _FEWEST:
        return None, None
    low, high = np.percentile(_medians(values, 1) / _medians(others, 2), [_LOW, _HIGH])
    return float(low), float(high)


def _medians(values: Sequence[float], seed: int) -> Floats:
    rng, data = np.random.default_rng(seed), np.asarray(values, dtype=np.float64)
    block = max(1, _BLOCK // data.size)  # resamples at a time: memory does not grow with the run
    sizes = [min(block, _RESAMPLES - done) for done in range(0, _RESAMPLES, block)]
    return np.concatenate([np.median(rng.choice(data, (n, data.size)), axis=1) for n in sizes])


def _rate(measured: Sequence[Measurement], clients: int | None) -> float | None:
    successes = sum(m.timing is not None for m in measured)
    if clients is None:
        ends = [m.began + m.busy for m in measured]
        begins = [m.began - m.late for m in measured]
        seconds = max(ends, default=0.0) - min(begins, default=0.0)
    else:
        seconds = sum(m.busy for m in measured) / clients
    return successes / seconds if seconds > 0 else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known and len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None
