"""The result of a benchmark, its question, its file, its command: what a user meets."""

from __future__ import annotations

import _thread
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import Answer

import rfhosted
from rfhosted.latency import Cell, Sample, __main__, figures, simulated
from rfhosted.latency.run import MOST_AT_ONCE
from rfhosted.local import Simulation
from rfhosted.prediction import Timing

KEY = "canary0key0of0nobody"
CELL = Cell("yolov8n-640", "v2", 320)
SETTINGS = {"rate": None, "concurrency": 1, "requests": 9, "warmup": 0, "day": "2026-01-01",
            "hosts": ["x"], "stand_ins": {}, "billable_cells": 0, "simulated": False}  # fmt: skip


def sample(e2e: float = 0.1, **fields) -> Sample:
    timing = Timing(
        prepare=0.01, e2e=e2e, exec=0.02, parse=0.001,
        connect=0.0, upload=0.01, wait=e2e - 0.015, download=0.005,
    )  # fmt: skip
    return replace(Sample(CELL, 0.0, e2e + 0.011, timing=timing, bytes_up=1000), **fields)


def result(*samples: Sample, **settings) -> rfhosted.Benchmark:
    return rfhosted.Benchmark(samples, SETTINGS | settings)


def ask(scripted, **options) -> rfhosted.Benchmark:
    options = {"requests": 4, "warmup": 1, "api_versions": ["v2"]} | options
    client = rfhosted.Client(base_url=scripted.url)
    return rfhosted.benchmark(
        "a/1", rfhosted.sample("cat"), client=client, task="object-detection", **options
    )


def test_figures_of_known_samples() -> None:
    values = [0.1 * i for i in range(1, 11)]
    [row] = result(
        *map(sample, values),
        sample(9.0, warmup=True),
        sample(timing=replace(sample(9.0).timing, load=8.0)),
        sample(timing=None, error="ServiceError 500"),
    ).rows()
    assert (row["n"], row["errors"], row["cold_starts"]) == (10, 1, 1)
    for p in (50, 90, 95, 99):
        assert row[f"e2e_p{p}"] == pytest.approx(np.percentile(values, p))
    assert row["e2e_mean"] == pytest.approx(0.55)
    assert row["cold_e2e_mean"] == 9.0
    assert row["bytes_up"] == 1000
    assert row["bytes_down"] is None  # nobody told


def test_the_means_of_the_parts_add_up_to_the_mean() -> None:
    [parts] = result(sample(0.1, late=0.2), sample(0.3)).parts()
    inside = ("late", "connect", "upload", "queue", "exec", "download", "untold")
    assert sum(parts[name] for name in inside) == pytest.approx(0.3)
    assert parts["load"] is None


def test_an_untold_part_is_no_zero() -> None:
    silent = replace(sample(0.1).timing, exec=None, upload=None, wait=None)
    found = result(sample(timing=silent), sample(0.1))
    [parts], [row] = found.parts(), found.rows()
    assert parts["exec"] is parts["upload"] is parts["queue"] is row["exec_p50"] is None
    assert parts["untold"] == pytest.approx(0.095)
    assert "not told apart" in found.plot_parts().alt


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).lognormal(0, 0.5, (200, 40))
    held = [low <= 1 <= high for low, high in map(figures.median_interval, draws)]
    assert 0.88 <= np.mean(held) <= 1


def test_compare_tells_change_from_noise() -> None:
    draws = np.random.default_rng(0)
    before = result(*map(sample, draws.normal(0.2, 0.01, 40)))
    same = result(*map(sample, draws.normal(0.2, 0.01, 40)))
    slow = result(*map(sample, draws.normal(0.3, 0.01, 40)))
    [row] = slow.compare(before).rows()
    assert row["verdict"] == "slower"
    assert row["ratio"] == pytest.approx(1.5, rel=0.05)
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
    assert before.compare(slow).rows()[0]["verdict"] == "faster"
    assert same.compare(before).rows()[0]["verdict"] == "no more than noise"
    few = result(sample(0.1)).compare(before)
    assert few.rows()[0]["verdict"] == "too few answers"
    other = rfhosted.Benchmark((replace(sample(), cell=Cell("b/1", "v1")),), SETTINGS)
    assert other.compare(before).rows() == []
    assert "no cell in common" in repr(other.compare(before))
    assert "slower" in slow.compare(before)._repr_html_()


def test_saved_and_loaded_it_is_the_same_and_without_a_key(scripted, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROBOFLOW_API_KEY", KEY)
    scripted.say(Answer(), Answer(b'{"message": "no"}', 500), Answer())
    found = ask(scripted, image_sizes=[320, "original"])
    assert any(asked.query.get("api_key") == KEY for asked in scripted.asked)
    path = found.save(tmp_path / "found.json")
    assert KEY not in path.read_text() + repr(found) + found._repr_html_()
    again = rfhosted.Benchmark.load(path)
    assert again.rows() == found.rows()
    assert again.parts() == found.parts()
    assert again.samples == found.samples
    assert again.settings == found.settings
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="no benchmark"):
        rfhosted.Benchmark.load(tmp_path / "other.json")


def test_nothing_is_tried_again_and_errors_go_by_kind(scripted) -> None:
    scripted.say(Answer(), Answer(status=503), Answer(status=429), Answer(b"<html>"), Answer())
    [row] = ask(scripted).rows()
    assert len(scripted.asked) == 5
    assert row["n"] == 1
    assert row["error_kinds"] == {
        "ModelNotReadyError 503": 1, "RateLimitedError 429": 1, "UnexpectedAnswerError 200": 1,
    }  # fmt: skip


def test_the_callers_client_keeps_its_retries(scripted) -> None:
    client = rfhosted.Client(base_url=scripted.url, retries=2)
    rfhosted.benchmark("a/1", rfhosted.sample("cat"), client=client, task="object-detection",
                       requests=1, warmup=0, api_versions=["v2"])  # fmt: skip
    assert client.retries == 2


def test_an_interruption_keeps_what_was_measured(scripted) -> None:
    scripted.say(Answer(delay=0.05))

    def interrupt() -> None:
        while len(scripted.asked) < 6:
            time.sleep(0.01)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    found = ask(scripted, requests=500, warmup=2)
    assert found.partial
    assert 2 <= found.rows()[0]["n"] < 100
    assert "Interrupted" in repr(found)


def test_cells_take_turns_at_random(scripted) -> None:
    found = ask(scripted, image_sizes=[64, 128], requests=20, warmup=0, seed=4)
    order = [s.cell.image_size for s in found.samples]
    assert sorted(order) == [64] * 20 + [128] * 20
    assert order != sorted(order)
    assert order == [
        s.cell.image_size
        for s in ask(scripted, image_sizes=[64, 128], requests=20, warmup=0, seed=4).samples
    ]
    assert [row["image_size"] for row in found.rows()] == [64, 128]


@pytest.fixture
def hosted_client(scripted, monkeypatch):
    """A client of the hosted API, whose address leads to the scripted server."""
    monkeypatch.setitem(rfhosted.hosted.V2_HOSTS, rfhosted.hosted.Region.US, "http://no.example")
    monkeypatch.setattr(
        "rfhosted.client._address", lambda route: scripted.url
    )  # the question looks at the route, which stays hosted
    return rfhosted.Client(KEY)


def run_hosted(client, **options):
    return rfhosted.benchmark("yolov8n-640", rfhosted.sample("cat"), client=client,
                              requests=3, warmup=2, api_versions=["v2"], **options)  # fmt: skip


def test_billable_requests_are_asked_about(scripted, hosted_client, monkeypatch) -> None:
    questions = []
    monkeypatch.setattr("builtins.input", lambda text: questions.append(text) or "y")
    assert run_hosted(hosted_client).rows()[0]["n"] == 3
    assert "5 billable requests to no.example, 2 of them to warm up" in questions[0]
    assert len(scripted.asked) == 5
    run_hosted(hosted_client, yes=True)
    assert len(questions) == 1


@pytest.mark.parametrize("answer", ["", "n", EOFError, NotImplementedError, OSError])
def test_without_agreement_nothing_is_sent(scripted, hosted_client, monkeypatch, answer) -> None:
    def say(text):
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.setattr("builtins.input", say)
    with pytest.raises(rfhosted.UnsupportedError, match="yes=True"):
        run_hosted(hosted_client)
    assert scripted.asked == []


@pytest.mark.parametrize("wrong", [
    {"requests": 0}, {"warmup": -1}, {"concurrency": 0}, {"concurrency": MOST_AT_ONCE + 1},
    {"rate": 0}, {"rate": 5, "concurrency": 2}, {"image_sizes": []}, {"image_sizes": [-1]},
    {"api_versions": ["v3"]},
])  # fmt: skip
def test_arguments_that_make_no_sense(scripted, wrong) -> None:
    with pytest.raises(ValueError):
        ask(scripted, **wrong)
    assert scripted.asked == []


def test_what_cannot_be_asked_is_said_before_anything_is_sent(scripted, tmp_path) -> None:
    client = rfhosted.Client(base_url=scripted.url)
    with pytest.raises(rfhosted.ImageError):
        rfhosted.benchmark("a/1", tmp_path / "none.jpg", client=client, task="classification")
    with pytest.raises(rfhosted.ModelNotFoundError):
        rfhosted.benchmark(["a/1", "nothing"], rfhosted.sample("cat"), client=client)
    assert scripted.asked == []


def test_a_stand_in_is_named() -> None:
    found = rfhosted.benchmark("yolov8n-640", rfhosted.sample("cat"), requests=1, warmup=0)
    assert "stood in for yolov8n-640" in repr(found)


def test_published_is_a_table_with_its_source() -> None:
    rows = rfhosted.published.rows()
    assert len(rows) == 6
    assert rows[0]["model"] == "yolov8x-640"
    assert rows[0]["v1_e2e"] == 4.084
    assert rows[0]["e2e_ratio"] == pytest.approx(4084 / 401)
    assert "docs.roboflow.com" in repr(rfhosted.published)
    assert "<table>" in rfhosted.published._repr_html_()
    assert list(rfhosted.published.to_pandas()) == list(rows[0])


def test_it_shows_itself() -> None:
    found = result(*map(sample, (0.1, 0.2, 0.3, 0.4, 0.5)))
    page = found._repr_html_()
    assert page.count("<img alt=") == 2
    assert "<table>" in page
    assert list(found.to_pandas()["n"]) == [5]
    assert "Published" in repr(found)


def test_the_command(capsys, tmp_path) -> None:
    path = tmp_path / "b.json"
    words = "yolov8n-640 --simulate --versions v2 --sizes 320 original --requests 3 --seed 1"
    assert __main__.main([*words.split(), "--save", str(path)]) == 0
    told = capsys.readouterr().out
    assert "simulated" in told
    assert "yolov8n-640  v2" in told
    assert rfhosted.Benchmark.load(path).rows()[0]["n"] == 3
    assert __main__.main([*words.split(), "--json"]) == 0
    assert [row["image_size"] for row in json.loads(capsys.readouterr().out)["rows"]] == [
        320, "original",
    ]  # fmt: skip
    assert __main__.main(["no-such-model"]) == 1
    assert "nothing was sent" in capsys.readouterr().err


def test_the_command_as_a_module() -> None:
    command = [sys.executable, "-m", "rfhosted.latency", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "python -m rfhosted.latency" in told


def test_the_plots_survive_failures_and_many_cells() -> None:
    with simulated(Simulation(error_rate=0.5, seed=1)) as client:
        found = rfhosted.benchmark(
            ["yolov8n-640", "yolov8m-640"], rfhosted.sample("cat"),
            image_sizes=[64, 128], client=client, requests=1, warmup=0, seed=0,
        )  # fmt: skip
    for plot in (found.plot(), found.plot_parts()):
        assert plot.png().startswith(b"\x89PNG")
