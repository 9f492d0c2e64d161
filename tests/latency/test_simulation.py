"""The simulator: the times it draws, that it says so everywhere, and that it is sent no key.

No test compares a measured time with an upper bound: under load everything takes longer.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys

import numpy as np
import pytest
import requests

import rfhosted
from rfhosted.hosted import ApiVersion
from rfhosted.latency import simulated
from rfhosted.local import Line, Simulation, Times, like_published

KEY = "canary0key0of0nobody"
#: Clocks of the event loop and of the client differ by less.
TICK = 0.002


def times(**values):
    return {"*": dict.fromkeys(ApiVersion, Times(**values))}


def measure(simulation, image=None, **options):
    options = {"api_versions": ["v2"], "seed": 1, "requests": 5} | options
    image = rfhosted.sample("cat") if image is None else image
    with simulated(simulation) as client:
        return rfhosted.benchmark("yolov8n-640", image, client=client, **options)


def warm(result):
    return [m for m in result.samples if m.counts]


def test_requests_take_as_long_as_the_simulation_says():
    result = measure(Simulation(times(exec=0.03, overhead=0.05)))
    (row,), (part,) = result.rows(), result.parts()
    assert row["exec_p50"] == 0.03
    assert all(m.timing.e2e >= 0.08 - TICK for m in warm(result))
    assert part["queue"] >= 0.05 - TICK


def test_drawn_times_have_the_distribution_that_was_chosen():
    sigma, median = 0.6, 0.005
    spread = Simulation(times(exec=median, spread=sigma), workers=32, seed=3)
    result = measure(spread, requests=300, concurrency=16, warmup=0)
    drawn = [m.timing.exec for m in warm(result)]
    assert len(drawn) == 300
    for p, z in ((50, 0.0), (90, 1.2816), (95, 1.6449)):
        assert np.percentile(drawn, p) == pytest.approx(median * math.exp(sigma * z), rel=0.25)
    assert statistics.fmean(drawn) == pytest.approx(median * math.exp(sigma**2 / 2), rel=0.15)
    assert all(m.timing.e2e >= m.timing.exec - TICK for m in warm(result))
    again = measure(spread, requests=300, concurrency=16, warmup=0)
    assert sorted(m.timing.exec for m in warm(again)) == sorted(drawn)  # the seed's


def test_published_times_are_the_medians():
    with simulated(like_published("yolov8n-640", spread=0)) as client:
        image = rfhosted.sample("cat")
        result = rfhosted.benchmark("yolov8n-640", image, requests=2, warmup=1, client=client)
    v2, v1 = result.rows()
    assert (round(v2["exec_p50"], 6), round(v1["exec_p50"], 6)) == (0.017, 0.063)
    assert v2["e2e_p50"] >= 0.384 - TICK
    assert v1["e2e_p50"] >= 0.312 - TICK


def test_a_slow_network_takes_its_time_both_ways():
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    line = Line(up=500_000, down=2_000, round_trip=0.03)
    result = measure(Simulation(times(exec=0.01), line=line), noise, requests=3)
    (row,) = result.rows()
    # The network's own buffers, of some 20 kB, take bytes before their turn.
    up, down = (row["bytes_up"] - 20_000) / line.up, row["bytes_down"] / line.down
    assert up > 0.1
    assert down > 0.05
    assert row["e2e_p50"] >= up + down + 0.01


def test_a_cold_start_waits_until_the_model_is_loaded():
    (row,) = measure(Simulation(times(exec=0.01), load=0.2), warmup=0).rows()
    assert (row["n"], row["cold_starts"]) == (4, 1)
    assert row["cold_e2e_mean"] >= 0.2 - TICK


def test_a_stalled_server_answers_nothing():
    result = measure(Simulation(times(exec=0.0), stall=(0.0, 0.2)), warmup=0, requests=2)
    assert max(m.timing.e2e for m in result.samples) >= 0.2 - TICK


def test_requests_queue_for_workers():
    result = measure(Simulation(times(exec=0.02), workers=1), requests=16, concurrency=4, warmup=0)
    ends = max(m.began + m.busy for m in result.samples)
    assert ends - min(m.began for m in result.samples) >= 16 * 0.02 - TICK


def test_errors_are_drawn_and_labelled():
    result = measure(
        Simulation(times(exec=0.0), error_rate=0.5, error_status=503, seed=4), requests=60
    )
    (row,) = result.rows()
    assert row["n"] + row["errors"] == 60  # nothing was tried again
    assert 15 <= row["errors"] <= 45  # half of 60, within four standard deviations
    assert row["error_kinds"] == {"ModelNotReadyError 503": row["errors"]}
    failing = Simulation(error_rate=1.0, error_status=503, label="known times")
    with simulated(failing) as client:
        response = requests.post(
            f"{client.base_url}/coco/3",
            files={"file": rfhosted.sample("cat").read_bytes()},
            timeout=10,
        )
    assert response.status_code == 503
    assert response.headers["x-rfhosted-simulated"] == "known times"


def test_simulated_is_said_everywhere(tmp_path):
    known = Simulation(times(exec=0.0), label="known times")
    result = measure(known)
    assert all(row["simulated"] for row in result.rows())
    assert "v2 simulated" in repr(result)
    assert "(simulated)" in result.plot().alt
    assert "(simulated)" in result.plot_parts().alt
    assert "known times" in result._repr_html_()
    with simulated(known) as client:
        prediction = client.predict(rfhosted.sample("cat"), "yolov8n-640")
    assert any("imulated" in note for note in prediction.notes)


def test_a_run_without_a_success_says_simulated_too(tmp_path):
    result = measure(Simulation(error_rate=1.0, error_status=500), requests=2)
    assert "(simulated)" in result.plot().alt
    assert "(simulated)" in result.plot_parts().alt
    assert rfhosted.Benchmark.load(result.save(tmp_path / "b.json")).simulated


def test_the_simulator_is_sent_no_key(monkeypatch):
    monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    with simulated() as client:
        sent = []
        send = client.transport._http.send
        monkeypatch.setattr(
            client.transport._http,
            "send",
            lambda request, key, **o: sent.append(key) or send(request, key, **o),
        )
        client.predict(rfhosted.sample("cat"), "yolov8n-640")
    assert sent == [None]
    assert KEY not in repr(client)


def test_it_knows_only_its_models_and_reads_only_the_size_of_an_image():
    with simulated() as client:
        with pytest.raises(rfhosted.ModelNotFoundError):
            client.predict(rfhosted.sample("cat"), "a/1", task="object-detection")
        prediction = client.predict(rfhosted.sample("rocket"), "yolov8n-640", image_size=320)
    image = prediction.raw["image"]
    assert (image["width"], image["height"]) == prediction.upload.size
    assert len(prediction.detections) == 0
    with pytest.raises(ValueError, match="yolov8n-640"):
        like_published("yolov5")


def test_the_command_of_the_server_simulates():
    command = [sys.executable, "-m", "rfhosted.local", "--port", "0", "--simulate", "yolov8n-640"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            client = rfhosted.Client(base_url=server.stdout.readline().strip())
            prediction = client.predict(rfhosted.sample("cat"), "any/1", task="object-detection")
        finally:
            server.terminate()
    assert prediction.simulated == "times as published for yolov8n-640"
    assert "simulated" in prediction.host
    assert "simulated" in " ".join(prediction.caption())
