"""The measuring against a known truth: every figure within a stated tolerance of what is pretended."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

import rfhosted
from rfhosted import hosted
from rfhosted.hosted import ApiVersion
from rfhosted.latency import simulated
from rfhosted.local import Line, Simulation, Times, like_published
from rfhosted.local.simulate import EVERY_MODEL

#: Tolerances of a busy machine of two cores, stated once: of a time, seconds; of a share or a ratio.
SECONDS, SHARE = 0.03, 0.15


def times(**values) -> dict:
    return {EVERY_MODEL: dict.fromkeys(ApiVersion, Times(**values))}


def measure(simulation: Simulation, **options) -> rfhosted.Benchmark:
    options = {"requests": 20, "api_versions": ["v2"], "seed": 1} | options
    with simulated(simulation) as client:
        return rfhosted.benchmark("yolov8n-640", [rfhosted.sample("cat")], client=client, **options)


def test_the_parts_are_those_that_are_pretended() -> None:
    line = Line(up=300_000, down=2_000, round_trip=0.06)
    found = measure(Simulation(times(exec=0.08, overhead=0.1), line=line), requests=8)
    [row], [parts] = found.rows(), found.parts()
    # What the system and the last two segments hold back of the upload is in the wait instead.
    upload, held = row["bytes_up"] / line.up, 16_384 / line.up
    assert upload - held - SECONDS <= parts["upload"] <= upload + SECONDS
    assert parts["exec"] == pytest.approx(0.08, abs=SECONDS)
    head = 400 / line.down  # takes the line, too
    wait = upload + 0.1 + line.round_trip + head
    assert parts["upload"] + parts["queue"] == pytest.approx(wait, abs=0.1)
    assert parts["download"] == pytest.approx(row["bytes_down"] / line.down, abs=SECONDS + 0.032)
    assert parts["connect"] == pytest.approx(0, abs=SECONDS)
    assert parts["untold"] == pytest.approx(0, abs=1e-6)
    assert row["exec_p50"] == pytest.approx(0.08, abs=SECONDS)


def test_percentiles_and_mean_of_a_known_distribution() -> None:
    sigma, median = 0.6, 0.1
    [row] = measure(
        Simulation(times(exec=median, spread=sigma), workers=32, seed=3),
        requests=300,
        concurrency=16,
        warmup=0,
    ).rows()
    assert row["n"] == 300
    for p, z in ((50, 0.0), (90, 1.2816), (95, 1.6449)):
        truth = median * math.exp(sigma * z)
        assert row[f"e2e_p{p}"] == pytest.approx(truth, rel=0.2, abs=SECONDS)
    assert row["e2e_p99"] == pytest.approx(median * math.exp(sigma * 2.3263), rel=0.4)
    assert row["e2e_mean"] == pytest.approx(median * math.exp(sigma**2 / 2), rel=0.2)
    assert row["e2e_p50_low"] < row["e2e_p50"] < row["e2e_p50_high"]
    assert row["e2e_p50_low"] <= median + SECONDS
    assert row["e2e_p50_high"] >= median
    assert row["exec_p50"] == pytest.approx(median, rel=0.2)


def test_failed_requests_are_counted_and_enter_no_latency() -> None:
    slow = Simulation(times(exec=0.02), error_rate=0.25, error_status=503, seed=5)
    [row] = measure(slow, requests=120, concurrency=4, warmup=0).rows()
    assert row["n"] + row["errors"] == 120  # none was tried again
    assert row["errors"] / 120 == pytest.approx(0.25, abs=0.12)
    assert row["error_kinds"] == {"ModelNotReadyError 503": row["errors"]}
    assert row["e2e_p50"] == pytest.approx(0.02, abs=SECONDS)


def test_nothing_answered_is_no_latency() -> None:
    found = measure(Simulation(error_rate=1.0, error_status=500), requests=2)
    [row] = found.rows()
    assert (row["n"], row["errors"], row["e2e_p50"], row["exec_p50"]) == (0, 2, None, None)
    assert found.plot().alt == "Plot: No request was answered (simulated)"
    assert "No request was answered" in found.plot_parts().alt


def test_cold_starts_are_counted_apart() -> None:
    found = measure(Simulation(times(exec=0.02), load=0.4), requests=10, warmup=0)
    [row] = found.rows()
    assert (row["n"], row["cold_starts"]) == (9, 1)
    assert row["cold_e2e_mean"] == pytest.approx(0.42, abs=2 * SECONDS)
    assert row["e2e_p99"] < 0.4
    [sample] = [sample for sample in found.samples if sample.cold]
    assert sample.timing.parts()["load"] == 0.4
    assert sample.timing.parts()["queue"] < 0.2


def test_clients_queue_where_workers_are_few() -> None:
    one = Simulation(times(exec=0.03), workers=1)
    [alone] = measure(one, requests=12).rows()
    four = measure(one, requests=40, concurrency=4)
    [crowd], [parts] = four.rows(), four.parts()
    assert crowd["e2e_p50"] == pytest.approx(4 * 0.03, rel=0.35)
    assert parts["queue"] == pytest.approx(3 * 0.03, rel=0.4)
    assert parts["exec"] == pytest.approx(0.03, abs=0.015)
    # One worker answers as many a second, whoever asks.
    assert crowd["rate"] == pytest.approx(alone["rate"], rel=0.35)


def test_rate_of_a_closed_loop() -> None:
    [row] = measure(Simulation(times(exec=0.05)), requests=60, concurrency=4).rows()
    assert row["rate"] == pytest.approx(4 / 0.05, rel=0.3)


STALLED = Simulation(times(exec=0.01), workers=32, stall=(0.5, 1.0))


def test_a_stall_shows_in_the_open_loop() -> None:
    """20 a second for 3 s: a third of them falls into the stall, and waits half of it on average."""
    [row] = measure(STALLED, requests=60, rate=20, warmup=0).rows()
    assert row["n"] == 60
    assert row["e2e_p95"] == pytest.approx(0.85, abs=0.25)  # the 17 of the 20 that wait longest
    assert row["e2e_mean"] == pytest.approx(0.01 + 20 / 60 * 0.5, abs=0.12)
    assert row["rate"] == pytest.approx(20, rel=SHARE)


def test_a_closed_loop_would_not_show_it() -> None:
    """The one client sends nothing while it waits: one answer of many is late."""
    [row] = measure(STALLED, requests=60, warmup=0).rows()
    assert row["e2e_p95"] < 0.15
    assert row["e2e_mean"] < 0.1


def test_lateness_counts_in_the_open_loop(monkeypatch) -> None:
    monkeypatch.setattr("rfhosted.latency.run.MOST_AT_ONCE", 1)
    # 20 a second are due, 10 a second are answered: each is 50 ms later than the one before.
    [row] = measure(Simulation(times(exec=0.1)), requests=20, rate=20, warmup=0).rows()
    assert row["late_max"] == pytest.approx(19 * 0.05, abs=0.3)
    assert row["e2e_mean"] == pytest.approx(0.1 + 19 * 0.05 / 2, abs=0.2)


def test_published_times_and_the_finding() -> None:
    with simulated(like_published(spread=0)) as client:
        found = rfhosted.benchmark(
            ["yolov8n-1280", "yolov8m-640"], rfhosted.sample("cat"),
            client=client, requests=3, warmup=0, concurrency=8,
        )  # fmt: skip
    for row in found.rows():
        e2e, told = hosted.published_latency(row["model"], ApiVersion(row["api_version"]))
        assert row["e2e_p50"] == pytest.approx(e2e, abs=2 * SECONDS)
        assert row["exec_p50"] == pytest.approx(told, abs=SECONDS)
    assert "(simulated)" in found.plot().alt
    assert "v1 takes 0." in repr(found)


def test_everything_simulated_says_so(tmp_path) -> None:
    with simulated() as client:
        answer = client.predict(rfhosted.sample("cat"), "yolov8n-640")
        assert "simulated" in repr(client)
    assert answer.simulated
    assert "simulated" in answer.host
    assert "simulated" in " ".join(answer.caption())
    assert answer.notes[0].startswith("Simulated")
    found = measure(Simulation(), requests=2)
    for text in (repr(found), found._repr_html_(), found.plot().alt, found.plot_parts().alt):
        assert "simulated" in text
    assert all(row["simulated"] for row in found.rows())
    assert "simulated" in repr(found.compare(found))
    assert rfhosted.Benchmark.load(found.save(tmp_path / "b.json")).simulated


def test_the_real_models_are_not_called_simulated() -> None:
    found = rfhosted.benchmark(
        "local/object-detection", rfhosted.sample("cat"), requests=2, warmup=1
    )
    assert not found.simulated
    assert "simulated" not in repr(found).lower()
    assert [row["n"] for row in found.rows()] == [2, 2]


def test_a_simulator_knows_only_its_models_and_pictures() -> None:
    with simulated() as client:
        with pytest.raises(rfhosted.ModelNotFoundError):
            client.predict(rfhosted.sample("cat"), "a/1", task="object-detection")
        rotated = client.predict(rfhosted.sample("rocket"), "yolov8n-640", image_size=320)
        assert rotated.raw["image"] == dict(
            zip(("width", "height"), rotated.upload.size, strict=True)
        )
    with pytest.raises(ValueError, match="yolov8n-640"):
        like_published("yolov5")


def test_the_command_of_the_server_simulates() -> None:
    command = [sys.executable, "-m", "rfhosted.local", "--port", "0", "--simulate", "yolov8n-640"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            client = rfhosted.Client(base_url=server.stdout.readline().strip())
            answer = client.predict(rfhosted.sample("cat"), "any/1", task="object-detection")
        finally:
            server.terminate()
    assert answer.simulated == "times as published for yolov8n-640"
    assert "127.0.0.1" in answer.host
