"""Measured against servers whose times are known: each figure lies within a stated tolerance of the truth."""

from __future__ import annotations

import builtins
import json
import statistics

import numpy as np
import pytest
import requests

import rfhosted
from rfhosted import errors
from rfhosted.hosted import ApiVersion
from rfhosted.latency import Benchmark, Cell, Measurement, simulated
from rfhosted.latency import measure as run
from rfhosted.latency import statistics as figures
from rfhosted.local import Line, Simulation, Times, like_published
from rfhosted.prediction import Timing
from support.scripted import Response

#: Seconds that this machine may add to a median: the event loop's, the client's, other people's work.
SLACK = 0.06
#: The same for a mean or a high percentile, which one hiccup moves.
HICCUP = 0.25
CANARY = "canary-77e1c0aa"
EXEC, OVERHEAD = 0.10, 0.08


@pytest.fixture
def photo():
    return rfhosted.sample("cat")


def constant(exec_: float = EXEC, overhead: float = OVERHEAD, **options) -> Simulation:
    both = dict.fromkeys(ApiVersion, Times(exec=exec_, overhead=overhead))
    return Simulation(times={"*": both}, label="known times", **options)


def measure(simulation: Simulation, photo, **options) -> Benchmark:
    options = {"api_versions": ["v2"], "requests": 8, "warmup": 1, "seed": 1} | options
    with simulated(simulation) as client:
        return rfhosted.benchmark("yolov8n-640", photo, client=client, **options)


def near(value: float, truth: float, slack: float = SLACK) -> bool:
    return truth - 0.005 <= value <= truth + slack


def test_latencies_are_those_of_the_server(photo):
    (row,) = measure(constant(), photo, requests=12).rows()
    truth = EXEC + OVERHEAD
    assert row["n"] == 12
    assert near(row["exec_p50"], EXEC)
    assert near(row["e2e_p50"], truth)
    assert row["e2e_p50_low"] <= row["e2e_p50"] <= row["e2e_p50_high"]
    assert truth - 0.005 <= row["e2e_p50_low"]
    for name in ("e2e_mean", "e2e_p90", "e2e_p95", "e2e_p99"):
        assert near(row[name], truth, HICCUP), name
    assert row["e2e_p50"] <= row["e2e_p90"] <= row["e2e_p95"] <= row["e2e_p99"]
    assert 1 / (truth + HICCUP) <= row["rate"] <= 1 / truth
    assert row["bytes_up"] > photo.stat().st_size
    assert row["bytes_down"] > 100


def test_percentiles_of_a_known_distribution():
    cell = Cell("a/1", "v2")
    times = np.random.default_rng(3).lognormal(-1.5, 0.5, 4000)
    row = figures.figures(cell, [sample(cell, float(t)) for t in times], 1)
    for p, z in ((50, 0.0), (90, 1.2816), (95, 1.6449), (99, 2.3263)):
        assert row[f"e2e_p{p}"] == pytest.approx(np.exp(-1.5 + 0.5 * z), rel=0.08)  # 4000 draws
    assert row["e2e_mean"] == pytest.approx(np.exp(-1.5 + 0.125), rel=0.04)


def test_the_interval_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        low, high = figures.median_interval(list(rng.lognormal(0, 0.5, 30)))
        held += low <= 1.0 <= high
    assert 0.88 <= held / 200 <= 0.99  # 95 % are told; the bootstrap of a median is a little off


def sample(cell: Cell, e2e: float, **options) -> Measurement:
    return Measurement(
        cell, 0.0, e2e, timing=Timing(prepare=0, e2e=e2e, exec=e2e / 2, parse=0), **options
    )


def test_the_parts_of_the_way():
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    line = Line(up=500_000, down=1e9, round_trip=0.05)
    result = measure(constant(line=line), noise, requests=6)
    (part,) = result.parts()
    (row,) = result.rows()
    upload = row["bytes_up"] / 500_000
    assert upload > 0.4
    assert near(part["exec"], EXEC, HICCUP)
    # The line's own buffers, of some 20 kB, take bytes before their turn.
    assert upload - 20_000 / 500_000 - SLACK <= part["upload"] <= upload + HICCUP
    assert OVERHEAD <= part["queue"] <= OVERHEAD + 0.05 + HICCUP
    assert part["connect"] == pytest.approx(0, abs=0.01)  # warmed up: the connection stays open
    assert part["load"] in (None, 0.0)
    assert part["download"] < HICCUP
    assert part["late"] == 0
    known = [part[name] for name in ("connect", "upload", "queue", "exec", "download", "untold")]
    assert sum(known) == pytest.approx(row["e2e_mean"], abs=0.02)  # means add up


def test_a_cold_start_is_counted_apart(photo):
    result = measure(constant(load=0.5), photo, warmup=0, requests=5)
    (row,) = result.rows()
    assert row["n"] == 4
    assert row["cold_starts"] == 1
    assert near(row["cold_e2e_mean"], EXEC + OVERHEAD + 0.5, HICCUP)
    assert row["e2e_p99"] < 0.5
    assert any("1 cold start" in note for note in result.notes())


def test_failures_are_counted_and_never_timed(photo):
    asked = measure(constant(0.02, 0, error_rate=0.5, error_status=503), photo, requests=60)
    (row,) = asked.rows()
    assert row["n"] + row["errors"] == 60  # nothing was tried again
    assert 15 <= row["errors"] <= 45  # half of 60, with room for four standard deviations
    assert row["error_kinds"] == {"ModelNotReadyError 503": row["errors"]}
    assert near(row["e2e_p50"], 0.02)
    assert "ModelNotReadyError 503" in repr(asked)


def test_an_unanswered_run_has_no_latency(photo):
    asked = measure(constant(0, 0, error_rate=1.0, error_status=429), photo, requests=3)
    (row,) = asked.rows()
    assert (row["n"], row["errors"], row["e2e_p50"], row["exec_p50"]) == (0, 3, None, None)
    assert "No request was answered" in repr(asked)
    assert "<img" in asked._repr_html_()


def test_clients_queue_for_workers(photo):
    alone, crowd = (
        measure(constant(0.06, 0, workers=1), photo, requests=16, concurrency=clients)
        for clients in (1, 4)
    )
    assert near(alone.rows()[0]["e2e_p50"], 0.06)
    # Four clients share one worker: each waits for three others.
    assert crowd.rows()[0]["e2e_p50"] == pytest.approx(4 * 0.06, abs=2 * SLACK)
    assert crowd.parts()[0]["queue"] == pytest.approx(3 * 0.06, abs=2 * SLACK)
    assert crowd.rows()[0]["rate"] == pytest.approx(1 / 0.06, rel=0.4)


def test_a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one(photo):
    stall = constant(0.02, 0, workers=32, stall=(0.5, 1.0))
    closed = measure(stall, photo, requests=40, warmup=0).rows()[0]
    opened = measure(stall, photo, requests=40, warmup=0, rate=20).rows()[0]
    # 20 requests fell due while nothing was answered: half of all, late by up to a second.
    assert opened["e2e_p90"] > 0.6
    assert opened["e2e_mean"] > 0.2
    # The closed loop asked one request in that time: its 90th percentile knows nothing of it.
    assert closed["e2e_p90"] < 0.3
    assert closed["e2e_p99"] > 0.3


def test_lateness_counts_from_when_a_request_was_due(photo, monkeypatch):
    monkeypatch.setattr(run, "MOST_AT_ONCE", 2)
    # Two at once, 0.1 s each: 20 a second can be sent, 40 fall due. The last is late by 0.5 s.
    row = measure(constant(0.1, 0, workers=32), photo, requests=40, warmup=0, rate=40).rows()[0]
    assert row["late_max"] == pytest.approx(40 / 20 - 40 / 40, abs=0.35)
    assert row["e2e_p50"] > 0.1 + 0.2


def test_versions_and_sizes_are_mixed(photo):
    result = measure(
        constant(0.0, 0), photo, api_versions=["v1", "v2"], image_sizes=[100, 200], requests=6
    )
    order = [s.cell for s in result.samples if not s.warmup]
    assert len(set(order)) == 4
    assert {order.count(cell) for cell in order} == {6}
    halves = [[c.api_version for c in order[:12]], [c.api_version for c in order[12:]]]
    assert all({"v1", "v2"} == set(half) for half in halves)
    assert [r["api_version"] for r in result.rows()] == ["v2", "v2", "v1", "v1"]


def test_what_is_published_stands_beside_what_is_measured(photo):
    with simulated(like_published("yolov8n-640", spread=0)) as client:
        result = rfhosted.benchmark("yolov8n-640", photo, requests=5, client=client)
    v2, v1 = result.rows()
    assert near(v2["e2e_p50"], 0.384)
    assert near(v2["exec_p50"], 0.017)
    assert near(v1["e2e_p50"], 0.312)
    assert near(v1["exec_p50"], 0.063)
    assert "published" in repr(result)
    assert "another day" in repr(result)


def test_simulated_is_said_everywhere(photo):
    result = measure(constant(0, 0), photo)
    assert all(row["simulated"] for row in result.rows())
    assert "v2 simulated" in repr(result)
    assert "(simulated)" in result.plot().alt
    assert "(simulated)" in result.plot_parts().alt
    assert "known times" in result._repr_html_()
    with simulated(constant(0, 0)) as client:
        answer = client.predict(photo, "yolov8n-640")
    assert any("imulated" in note for note in answer.notes)
    real = rfhosted.benchmark("local/object-detection", photo, requests=2, warmup=1)
    assert not real.simulated
    assert "simulated" not in repr(real)


def test_the_plots_start_at_zero_and_name_the_finding(photo):
    with simulated(like_published(spread=0)) as client:
        result = rfhosted.benchmark("yolov8n-640", photo, requests=6, client=client)
    for plot in (result.plot(), result.plot_parts()):
        (axes,) = plot.axes
        assert axes.get_xlim()[0] == 0
    assert "v1 takes 0.8" in result.plot().alt
    assert result.plot_parts().alt.startswith("Plot: Most time goes into")


def test_interrupting_keeps_what_was_measured(photo, monkeypatch):
    interruptions = iter([KeyboardInterrupt])
    show = run._Run._show

    def shown(self) -> None:
        show(self)
        if len(self.samples) >= 10 and (interruption := next(interruptions, None)):
            raise interruption  # as Ctrl-C does, while the main thread waits

    monkeypatch.setattr(run._Run, "_show", shown)
    result = measure(constant(0.05, 0), photo, requests=1000)
    assert result.partial
    assert 9 <= result.rows()[0]["n"] < 100
    assert any("Interrupted" in note for note in result.notes())


def test_saved_and_loaded_is_the_same(photo, tmp_path):
    result = measure(constant(0.01, 0, error_rate=0.3), photo, requests=12)
    again = Benchmark.load(result.save(tmp_path / "b.json"))
    assert again.rows() == result.rows()
    assert again.parts() == result.parts()
    assert repr(again) == repr(result)
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(ValueError, match="holds no benchmark"):
        Benchmark.load(tmp_path / "other.json")


def test_the_key_is_in_nothing_that_is_shown_or_saved(photo, scripted, tmp_path):
    client = rfhosted.Client(CANARY, base_url=scripted.url)
    scripted.respond(Response(), Response(f'{{"message": "no {CANARY}"}}'.encode(), 401))
    result = rfhosted.benchmark("a/1", photo, api_versions=["v2"], requests=4, client=client)
    assert any(CANARY in str(asked) for asked in scripted.received)
    saved = result.save(tmp_path / "b.json").read_text()
    for text in (saved, repr(result), result._repr_html_(), repr(result.rows())):
        assert CANARY not in text


def test_slower_faster_or_noise():
    cell, rng = Cell("a/1", "v2"), np.random.default_rng(1)
    settings = {"rate": None, "concurrency": 1, "hosts": [], "day": "", "stand_ins": {}}

    def made(median: float, n: int = 60) -> Benchmark:
        times = median * rng.lognormal(0, 0.2, n)
        return Benchmark(tuple(sample(cell, float(t)) for t in times), settings)

    base = made(1.0)
    assert made(1.5).compare(base).rows()[0]["verdict"] == "slower"
    assert made(0.6).compare(base).rows()[0]["verdict"] == "faster"
    assert made(1.0).compare(base).rows()[0]["verdict"] == "no more than noise"
    assert made(1.0, 3).compare(base).rows()[0]["verdict"] == "too few answers"
    (row,) = made(1.5).compare(base).rows()
    assert row["ratio_low"] < 1.5 < row["ratio_high"] * 1.1
    other = Benchmark((sample(Cell("b/1", "v2"), 1.0),), settings)
    assert other.compare(base).rows() == []


@pytest.fixture
def hosted(monkeypatch, scripted):
    """A client with a key, whose hosts are this machine's under a name that is not known as such."""
    monkeypatch.setattr(run, "_is_here", lambda _: False)
    return rfhosted.Client(CANARY, base_url=scripted.url)


def test_billable_requests_are_told_and_asked_for(hosted, photo, scripted, monkeypatch):
    questions = []
    said = iter(["n", "y"])
    monkeypatch.setattr(builtins, "input", lambda text: questions.append(text) or next(said))
    options = {"api_versions": ["v2"], "requests": 3, "warmup": 2, "client": hosted}
    with pytest.raises(errors.UnsupportedError, match="not agreed"):
        rfhosted.benchmark("a/1", photo, **options)
    assert scripted.received == []
    assert "5 billable requests" in questions[0]
    assert "2 of them to warm up" in questions[0]
    assert rfhosted.benchmark("a/1", photo, **options).rows()[0]["n"] == 3
    assert len(scripted.received) == 5
    rfhosted.benchmark("a/1", photo, yes=True, **options)
    assert len(questions) == 2


@pytest.mark.parametrize("error", [EOFError, NotImplementedError, OSError])
def test_where_nobody_can_be_asked_nothing_is_sent(hosted, photo, scripted, monkeypatch, error):
    def nobody(_):
        raise error

    monkeypatch.setattr(builtins, "input", nobody)
    with pytest.raises(errors.UnsupportedError, match="yes=True"):
        rfhosted.benchmark("a/1", photo, api_versions=["v2"], client=hosted)
    assert scripted.received == []


def test_this_machine_is_asked_without_a_question(photo, monkeypatch):
    monkeypatch.delattr(builtins, "input")
    result = rfhosted.benchmark("local/object-detection", photo, requests=1, warmup=0)
    assert {row["n"] + row["cold_starts"] for row in result.rows()} == {1}


@pytest.mark.parametrize(
    "options",
    [{"requests": 0}, {"warmup": -1}, {"concurrency": 0}, {"concurrency": 1000}, {"rate": 0},
     {"rate": 5, "concurrency": 2}, {"api_versions": []}, {"api_versions": ["v3"]},
     {"image_sizes": ["huge"]}],
)  # fmt: skip
def test_arguments_that_make_no_sense(photo, options):
    with pytest.raises(ValueError):
        rfhosted.benchmark("local/object-detection", photo, **options)
    with pytest.raises(ValueError, match="nothing to measure"):
        rfhosted.benchmark([], photo)


def test_the_published_table():
    """The documentation's figures, in milliseconds: V2 E2E, V2 Exec, v1 E2E, v1 Exec."""
    told = {
        "yolov8x-640": (401, 29, 4084, 821),
        "yolov8m-640": (757, 21, 572, 265),
        "yolov8n-640": (384, 17, 312, 63),
        "yolov8x-1280": (483, 97, 6431, 3032),
        "yolov8m-1280": (416, 52, 1841, 1006),
        "yolov8n-1280": (428, 35, 464, 157),
    }
    names = ("v2_e2e", "v2_exec", "v1_e2e", "v1_exec")
    rows = rfhosted.published.rows()
    found = {row["model"]: tuple(round(row[name] * 1000) for name in names) for row in rows}
    assert found == told
    for row in rows:
        assert row["e2e_ratio"] == pytest.approx(row["v1_e2e"] / row["v2_e2e"])
    assert "docs.roboflow.com" in repr(rfhosted.published)
    assert "<table" in rfhosted.published._repr_html_()


def test_a_data_frame(photo):
    frame = measure(constant(0, 0), photo).to_pandas()
    assert {"model", "api_version", "image_size", "n", "errors", "e2e_p50", "e2e_p90", "e2e_p95",
            "e2e_p99", "e2e_mean", "exec_p50", "rate", "bytes_up"} <= set(frame.columns)  # fmt: skip


def test_the_command_line(capsys, photo, tmp_path):
    from rfhosted.latency.__main__ import main

    saved = tmp_path / "b.json"
    asked = ["local/object-detection", "--image", str(photo), "--versions", "v2"]
    assert main([*asked, "--requests", "2", "--save", str(saved)]) == 0
    printed = capsys.readouterr().out
    assert "local/object-detection  v2" in printed
    assert Benchmark.load(saved).rows()[0]["n"] == 2
    assert main([*asked, "--requests", "2", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert statistics.fmean([row["e2e_p50"] for row in data["rows"]]) > 0
    assert main(["yolov8n-64", "--image", str(photo)]) == 1
    assert "Did you mean" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [[1.5], "no-such-file.jpg"])
def test_every_picture_is_looked_at_before_anything_is_sent(photo, scripted, bad):
    client = rfhosted.Client(base_url=scripted.url)
    with pytest.raises((TypeError, errors.ImageError)):
        rfhosted.benchmark("a/1", [photo, bad], api_versions="v2", requests=2, client=client)
    assert scripted.received == []


def test_refusals_of_the_simulator_are_labelled_too(photo):
    refusing = constant(0, 0, error_rate=1.0, error_status=503)
    with simulated(refusing) as client:
        answer = requests.post(
            f"{client.base_url}/coco/3", files={"file": photo.read_bytes()}, timeout=10
        )
    assert answer.status_code == 503
    assert answer.headers["x-rfhosted-simulated"] == "known times"
