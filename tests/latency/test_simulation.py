"""The simulator itself: what it pretends, that it says so, and that it learns no key."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

import rfhosted
from rfhosted.hosted import ApiVersion
from rfhosted.latency import simulated
from rfhosted.local import Line, Simulation, Times, like_published

KEY = "canary0key0of0nobody"


def times(**values) -> dict:
    return {"*": dict.fromkeys(ApiVersion, Times(**values))}


def measure(simulation: Simulation, **options) -> rfhosted.Benchmark:
    options = {"api_versions": ["v2"], "seed": 1} | options
    with simulated(simulation) as client:
        return rfhosted.benchmark("yolov8n-640", rfhosted.sample("cat"), client=client, **options)


def test_a_slow_way_back_is_the_download() -> None:
    line = Line(down=1_000)
    found = measure(Simulation(times(exec=0.05), line=line), requests=4)
    [row], [parts] = found.rows(), found.parts()
    # The answer's head, of some 400 bytes, takes the line first; pieces have 64 bytes.
    truth = row["bytes_down"] / line.down
    assert truth > 0.1
    assert parts["download"] == pytest.approx(truth, abs=0.064 + 0.04)
    assert 0.3 <= parts["queue"] <= 0.7
    assert parts["exec"] == pytest.approx(0.05, abs=0.03)


def test_percentiles_over_the_wire() -> None:
    sigma, median = 0.6, 0.1
    spread = Simulation(times(exec=median, spread=sigma), workers=32, seed=3)
    [row] = measure(spread, requests=300, concurrency=16, warmup=0).rows()
    assert row["n"] == 300
    for p, z in ((50, 0.0), (90, 1.2816), (95, 1.6449)):
        assert row[f"e2e_p{p}"] == pytest.approx(median * math.exp(sigma * z), rel=0.25, abs=0.02)
    assert row["e2e_mean"] == pytest.approx(median * math.exp(sigma**2 / 2), rel=0.25)


@pytest.mark.parametrize("models", [["yolov8n-640"], ["yolov8n-640", "yolov8m-640"]])
@pytest.mark.parametrize("v1_exec", [0.03, 0.2])
def test_the_finding_is_more_than_noise(models, v1_exec) -> None:
    both = {
        ApiVersion.V2: Times(exec=0.03, spread=0.5),
        ApiVersion.V1: Times(exec=v1_exec, spread=0.5),
    }
    with simulated(Simulation({"*": both}, workers=32, seed=2)) as client:
        found = rfhosted.benchmark(
            models,
            rfhosted.sample("cat"),
            client=client,
            requests=12,
            concurrency=8,
            warmup=1,
            seed=1,
        )
    apart = [v2["e2e_p50_high"] < v1["e2e_p50_low"] or v1["e2e_p50_high"] < v2["e2e_p50_low"]
             for v2 in found.rows() for v1 in found.rows()
             if (v2["api_version"], v1["api_version"]) == ("v2", "v1") and v1["model"] == v2["model"]]  # fmt: skip
    assert ("no more than noise" in found.plot().alt) is not any(apart)
    assert any(apart) or v1_exec == 0.03


def test_a_run_without_an_answer_says_simulated_too(tmp_path) -> None:
    found = measure(Simulation(error_rate=1.0, error_status=500), requests=2)
    assert "(simulated)" in found.plot().alt
    assert "(simulated)" in found.plot_parts().alt
    assert rfhosted.Benchmark.load(found.save(tmp_path / "b.json")).simulated


def test_the_simulator_is_sent_no_key(monkeypatch) -> None:
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


def test_it_knows_only_its_models_and_looks_at_the_size_alone() -> None:
    with simulated() as client:
        with pytest.raises(rfhosted.ModelNotFoundError):
            client.predict(rfhosted.sample("cat"), "a/1", task="object-detection")
        answer = client.predict(rfhosted.sample("rocket"), "yolov8n-640", image_size=320)
    assert (answer.raw["image"]["width"], answer.raw["image"]["height"]) == answer.upload.size
    assert len(answer.detections) == 0
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
    assert "simulated" in answer.host
    assert "simulated" in " ".join(answer.caption())


def test_the_lab_as_a_module() -> None:
    command = [
        sys.executable,
        "-m",
        "rfhosted.latency",
        "yolov8n-640",
        "--simulate",
        "--requests=2",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "v1 simulated" in told
    assert "no model looked at a picture" in told
