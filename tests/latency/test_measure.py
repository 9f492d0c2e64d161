"""Measuring: which requests are sent, when, and what is kept of them. The times are chosen."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import rfhosted
from rfhosted import errors
from rfhosted.latency import measure as measuring
from support.scripted import Response
from support.timed import Timed

CANARY = "canary-77e1c0aa"


@pytest.fixture
def photo():
    return rfhosted.sample("cat")


def measured(transport, image=None, **options):
    options = {"api_versions": "v2", "requests": 8, "warmup": 1, "seed": 1} | options
    image = rfhosted.sample("cat") if image is None else image
    return rfhosted.benchmark("yolov8n-640", image, client=transport.client(), **options)


def test_the_times_are_those_of_the_requests():
    times = [9.0, *(0.1 * n for n in range(1, 12))]  # the first warms up
    (row,) = measured(Timed(lambda n: {"e2e": times[n]}), requests=11).rows()
    assert (row["n"], row["errors"], row["cold_starts"]) == (11, 0, 0)
    assert row["e2e_p50"] == pytest.approx(0.6)
    assert row["e2e_p90"] == pytest.approx(1.0)
    assert row["e2e_mean"] == pytest.approx(0.6)
    assert row["exec_p50"] == 0.1
    assert row["late_max"] == 0
    assert row["bytes_up"] > rfhosted.sample("cat").stat().st_size
    assert row["bytes_down"] > 50
    assert row["simulated"] is False


def test_the_rate_is_that_of_the_clients():
    result = measured(Timed(), requests=6, concurrency=2)
    busy = sum(m.busy for m in result.samples if not m.warmup)
    assert result.rows()[0]["rate"] == pytest.approx(6 / (busy / 2))


def test_a_cold_start_is_counted_separately():
    result = measured(Timed(lambda n: {"e2e": 0.7, "load": 0.5} if n == 0 else {}), warmup=0)
    (row,) = result.rows()
    assert (row["n"], row["cold_starts"], row["cold_e2e_mean"]) == (7, 1, 0.7)
    assert row["e2e_p99"] == pytest.approx(0.2)


def test_failures_are_counted_and_never_timed():
    not_ready = errors.ModelNotReadyError("loading", status=503)
    transport = Timed(lambda n: not_ready if n % 3 == 0 else {})
    (row,) = measured(transport, requests=12, warmup=0).rows()
    assert (row["n"], row["errors"]) == (8, 4)
    assert row["error_kinds"] == {"ModelNotReadyError 503": 4}
    assert row["e2e_p99"] == pytest.approx(0.2)
    assert len(transport.requests) == 12  # nothing was tried again


@pytest.mark.parametrize("error", [RecursionError("deep"), OverflowError(), KeyError("class")])
def test_an_error_of_ours_costs_one_request_and_is_named(error):
    result = measured(Timed(lambda n: error if n == 3 else {}), requests=10)
    (row,) = result.rows()
    assert (row["n"], row["error_kinds"]) == (9, {type(error).__name__: 1})
    assert any("in rfhosted itself" in note for note in result.notes())
    assert not result.partial


@pytest.mark.parametrize(
    "odd", [float("nan"), float("inf"), -5, 1e308, "soon", None, [1], True, {}]
)
def test_what_is_no_time_enters_nothing(odd, tmp_path):
    result = measured(Timed(lambda n: {"time": odd, "load": odd}))
    (row,), (part,) = result.rows(), result.parts()
    assert row["n"] == 8
    assert row["cold_starts"] == 0
    assert row["exec_p50"] is None
    assert part["exec"] is None
    assert part["load"] is None
    assert rfhosted.Benchmark.load(result.save(tmp_path / "b.json")).rows() == [row]


@pytest.mark.parametrize("label", [{"a": 1}, ["x"], 3, True, None])
def test_a_label_that_is_no_text_is_no_label(label):
    result = measured(Timed(lambda n: {"simulated": label}))
    assert not result.simulated
    assert "imulated" not in repr(result)


def test_so_many_clients_send_at_once():
    together = threading.Barrier(4)  # passes only while four requests are in flight

    def respond(number):
        together.wait(20)
        return {}

    assert measured(Timed(respond), requests=12, warmup=4, concurrency=4).rows()[0]["n"] == 12


def test_an_open_loop_counts_from_when_a_request_was_due(monkeypatch):
    monkeypatch.setattr(measuring, "MOST_AT_ONCE", 1)

    def respond(number):
        time.sleep(0.02)
        return {}

    # One at a time, at least 20 ms each, due every millisecond: the last of ten is late by 9 * 19.
    result = measured(Timed(respond), requests=10, warmup=0, rate=1000)
    (row,) = result.rows()
    lateness = [m.late for m in result.samples]
    assert row["late_max"] == max(lateness) >= 9 * 0.019
    assert row["e2e_mean"] == pytest.approx(0.2 + sum(lateness) / 10)
    assert result.settings.rate == 1000
    assert "were due" in repr(result)
    assert "was due" in result.plot().axes[0].get_xlabel()


def test_an_open_loop_sends_nothing_early():
    result = measured(Timed(), requests=5, warmup=0, rate=50)
    began = sorted(m.began for m in result.samples)
    assert all(m.late >= 0 for m in result.samples)
    assert began[-1] - began[0] >= 4 / 50 - max(m.late for m in result.samples)


def test_versions_and_sizes_are_mixed():
    result = measured(Timed(), api_versions=["v1", "v2"], image_sizes=[100, 200], requests=6)
    order = [m.cell for m in result.samples if not m.warmup]
    assert {order.count(cell) for cell in order} == {6}
    halves = [[c.api_version for c in order[:12]], [c.api_version for c in order[12:]]]
    assert all({"v1", "v2"} == set(half) for half in halves)
    assert [(r["api_version"], r["image_size"]) for r in result.rows()] == [
        ("v2", 100), ("v2", 200), ("v1", 100), ("v1", 200),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "found"),
    [(320, [320]), ("original", ["original"]), (None, [None]), (np.int64(320), [320]),
     (np.array([640, 320]), [320, 640]), ((n for n in (1, 2)), [1, 2])],
)  # fmt: skip
def test_one_or_several_sizes(sizes, found, tmp_path):
    result = measured(Timed(), image_sizes=sizes, requests=np.int64(1), warmup=np.int8(0))
    assert [row["image_size"] for row in result.rows()] == found
    assert all(type(row["image_size"]) in (int, str, type(None)) for row in result.rows())
    assert rfhosted.Benchmark.load(result.save(tmp_path / "b.json")).rows() == result.rows()


def test_a_key_in_the_address_of_a_model_is_not_kept(tmp_path):
    address = f"https://detect.roboflow.com/project/3?api_key={CANARY}"
    client = Timed().client()
    result = rfhosted.benchmark(
        address, rfhosted.sample("cat"), api_versions="v2", requests=2, client=client, yes=True
    )
    assert result.rows()[0]["model"] == "project/3"
    for text in (repr(result), result._repr_html_(), result.save(tmp_path / "b").read_text()):
        assert CANARY not in text


def test_every_image_is_read_before_anything_is_sent(photo):
    for bad in ([1.5], "no-such-file.jpg"):
        transport = Timed()
        with pytest.raises((TypeError, errors.ImageError)):
            measured(transport, [photo, bad])
        assert transport.requests == []


def test_an_open_file_is_read_once(photo):
    with photo.open("rb") as file:
        assert measured(Timed(), file).rows()[0]["n"] == 8


def threads():
    """Those that run, but the server's and the one that keeps all deadlines of the process."""
    others = ("rfhosted.deadline", "process_request_thread")
    return {t for t in threading.enumerate() if not any(name in t.name for name in others)}


@pytest.fixture
def bars(monkeypatch):
    """The progress bars that were opened."""
    from tqdm import auto

    opened = []

    class Bar(auto.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            opened.append(self)
            self.closed = False

        def close(self):
            super().close()
            self.closed = True

    monkeypatch.setattr(auto, "tqdm", Bar)
    return opened


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill(SIGINT) ends the process there")
@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_interrupt_keeps_what_was_measured_and_cuts_the_rest(scripted, photo, bars, concurrency):
    before = threads()
    responses = [Response() for _ in range(6)]
    scripted.respond(*responses, Response(delay=40))

    def press():
        while len(scripted.received) < 6 + concurrency:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    client = rfhosted.Client(base_url=scripted.url, timeout=60)
    began = time.monotonic()
    result = rfhosted.benchmark(
        "a/1",
        photo,
        api_versions="v2",
        requests=50,
        warmup=1,
        client=client,
        concurrency=concurrency,
    )
    presser.join()
    assert time.monotonic() - began < 20  # half of what the server would have taken
    assert result.partial
    (row,) = result.rows()
    assert (row["n"], row["errors"]) == (5, 0)  # what was cut off has not failed
    assert len(scripted.received) == 6 + concurrency  # and nothing more was sent
    assert any("Interrupted" in note for note in result.notes())
    assert threads() == before
    assert [bar.closed for bar in bars] == [True]


def test_an_interrupt_inside_a_request_ends_the_run(bars):
    result = measured(Timed(lambda n: KeyboardInterrupt() if n == 5 else {}), requests=100)
    assert result.partial
    assert result.rows()[0]["n"] >= 4
    assert len(result.samples) < 10
    assert [bar.closed for bar in bars] == [True]


def test_a_bar_that_fails_loses_no_measurement(monkeypatch, bars):
    from tqdm import auto

    def update(self, n=1):
        raise BrokenPipeError  # nobody reads the terminal any more

    monkeypatch.setattr(auto.tqdm, "update", update)
    result = measured(Timed())
    assert result.partial
    assert result.samples
    assert [bar.closed for bar in bars] == [True]


def test_the_threads_end_with_the_run(bars):
    before = threads()
    measured(Timed(), concurrency=8)
    assert threads() == before
    assert [bar.closed for bar in bars] == [True]


@pytest.fixture
def billed(monkeypatch):
    """A transport to the hosted API, and what it would have received."""
    monkeypatch.setenv("ROBOFLOW_API_KEY", CANARY)
    transport = Timed()
    return transport, rfhosted.Client(transport=transport)


def test_billable_requests_are_counted_and_confirmed(billed, photo, monkeypatch):
    transport, client = billed
    prompts = []
    answers = iter(["n", "y"])
    monkeypatch.setattr(builtins, "input", lambda text: prompts.append(text) or next(answers))
    options = {"api_versions": ["v2"], "requests": 3, "warmup": 2, "client": client}
    with pytest.raises(errors.UnsupportedError, match="not confirmed"):
        rfhosted.benchmark("rfdetr-nano", photo, **options)
    assert transport.requests == []
    assert "5 billable requests" in prompts[0]
    assert "2 of them to warm up" in prompts[0]
    assert rfhosted.benchmark("rfdetr-nano", photo, **options).rows()[0]["n"] == 3
    assert len(transport.requests) == 5
    rfhosted.benchmark("rfdetr-nano", photo, yes=True, **options)
    assert len(prompts) == 2


@pytest.mark.parametrize("error", [EOFError, NotImplementedError, OSError])
def test_without_a_user_nothing_is_billed(billed, photo, monkeypatch, error):
    def nobody(_):
        raise error

    transport, client = billed
    monkeypatch.setattr(builtins, "input", nobody)
    with pytest.raises(errors.UnsupportedError, match="yes=True"):
        rfhosted.benchmark("rfdetr-nano", photo, api_versions=["v2"], client=client)
    assert transport.requests == []


def test_local_models_are_measured_without_a_question(photo, monkeypatch):
    monkeypatch.setattr(builtins, "input", pytest.fail)
    result = rfhosted.benchmark("local/object-detection", photo, requests=1, warmup=0)
    assert {row["n"] + row["cold_starts"] for row in result.rows()} == {1}
    assert not result.simulated


@pytest.mark.parametrize(
    "options",
    [{"requests": 0}, {"warmup": -1}, {"concurrency": 0}, {"concurrency": 1000}, {"rate": 0},
     {"rate": float("nan")}, {"rate": float("inf")}, {"rate": 5, "concurrency": 2},
     {"api_versions": []}, {"api_versions": ["v3"]}, {"image_sizes": ["huge"]}, {"image_sizes": []},
     {"image_sizes": 0}],
)  # fmt: skip
def test_values_that_make_no_sense(options):
    transport = Timed()
    with pytest.raises(ValueError):
        measured(transport, **options)
    assert transport.requests == []


@pytest.mark.parametrize(
    "options",
    [{"requests": "20"}, {"requests": 2.5}, {"requests": None}, {"warmup": True},
     {"concurrency": 1.0}, {"rate": "5"}, {"rate": True}],
)  # fmt: skip
def test_a_value_of_another_type_is_named(options):
    with pytest.raises(TypeError, match=next(iter(options))):
        measured(Timed(), **options)


def test_nothing_to_measure(photo):
    for arguments in (([], photo), (["a/1"], [])):
        with pytest.raises(ValueError, match="nothing to measure"):
            rfhosted.benchmark(*arguments)
    with pytest.raises(TypeError, match="model"):
        rfhosted.benchmark(3, photo)
