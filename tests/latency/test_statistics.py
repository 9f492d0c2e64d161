"""From measurements to statistics, against distributions that are known."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest

from rfhosted.endpoints.call import Call
from rfhosted.latency.statistics import Statistics, median_interval, parts, ratio_interval
from support.timed import measurement

CELL = Call("a/1", None, "v2")


def test_percentiles_of_a_known_distribution():
    times = np.random.default_rng(3).lognormal(-1.5, 0.5, 4000)
    row = Statistics.of(CELL, [measurement(CELL, float(t)) for t in times])
    for p, z in ((50, 0.0), (90, 1.2816), (95, 1.6449), (99, 2.3263)):
        truth = np.exp(-1.5 + 0.5 * z)
        assert getattr(row, f"e2e_p{p}") == pytest.approx(truth, rel=0.08)  # 4000 draws
    assert row.e2e_mean == pytest.approx(np.exp(-1.5 + 0.125), rel=0.04)
    assert row.e2e_p50_low <= row.e2e_p50 <= row.e2e_p50_high


def test_the_interval_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        low, high = median_interval(list(rng.lognormal(0, 0.5, 30)))
        held += low <= 1.0 <= high
    assert 0.88 <= held / 200 <= 0.99  # 95 % nominal; the bootstrap of a median is a little off


def test_the_memory_of_an_interval_does_not_grow_with_the_run():
    many = list(np.random.default_rng(1).lognormal(0, 0.5, 5_000))
    tracemalloc.start()
    low, high = median_interval(many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000  # all resamples at once would be 80 MB, and as much for the draws
    assert 0.9 < low < 1 < high < 1.1


def test_few_values_have_no_interval():
    assert median_interval([1.0] * 4) == (None, None)
    assert ratio_interval([1.0] * 4, [1.0] * 9) == (None, None)
    low, high = ratio_interval([2.0] * 5, [1.0] * 5)
    assert (low, high) == (2.0, 2.0)


def test_nothing_measured_is_nothing_known():
    row = dataclasses.asdict(Statistics.of(CELL, []))
    assert (row.pop("n"), row.pop("errors"), row.pop("cold_starts")) == (0, 0, 0)
    assert (row.pop("model"), row.pop("api_version")) == ("a/1", "v2")
    assert not any(row.values())


def test_what_one_response_does_not_report_has_no_median():
    silent = dataclasses.replace(
        measurement(CELL, 1.0), timing=dataclasses.replace(measurement(CELL, 1.0).timing, exec=None)
    )
    assert Statistics.of(CELL, [measurement(CELL, 1.0), silent]).exec_p50 is None


def test_the_rate_of_an_open_loop_is_that_of_the_run():
    times = [measurement(CELL, 0.5, began=float(n), busy=0.5) for n in range(1, 11)]
    assert Statistics.of(CELL, times, clients=None).rate == pytest.approx(10 / 9.5)
    assert Statistics.of(CELL, times, clients=2).rate == pytest.approx(10 / 2.5)


def test_the_parts_of_a_request_add_up():
    split = {"connect": 0.01, "upload": 0.2, "wait": 0.5, "download": 0.05}
    one = measurement(CELL, 0.8, late=0.3, exec=0.1, load=None, **split)
    two = measurement(CELL, 0.8, late=0.1, exec=0.3, load=None, **split)
    found = parts([one, two])
    assert list(found) == [
        "late", "prepare", "connect", "upload", "queue", "load", "exec", "download", "parse", "other",
    ]  # fmt: skip
    assert found["exec"] == pytest.approx(0.2)
    assert found["queue"] == pytest.approx(0.3)
    assert found["load"] is None
    inside = [found[name] or 0.0 for name in found if name not in ("prepare", "parse")]
    assert sum(inside) == pytest.approx(0.8 + 0.2)  # the mean of E2E, lateness included
    assert found["other"] == pytest.approx(0.04)


def test_a_part_that_one_response_does_not_report_is_unknown():
    known = measurement(CELL, 0.8, upload=0.2, wait=0.5)
    found = parts([known, measurement(CELL, 0.8)])
    assert found["upload"] is None
    assert found["queue"] is None
    assert parts([])["other"] is None
