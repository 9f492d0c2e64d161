"""What a benchmark shows, saves, loads and compares."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import rfhosted
from rfhosted import errors
from rfhosted.endpoints.call import Call
from rfhosted.latency import Benchmark, Settings
from support.timed import Timed, measurement

OLD_FILE = Path(__file__).parent / "files" / "benchmark_format_1.json"
CANARY = "canary-77e1c0aa"
SETTINGS = Settings(day="2026-11-24", hosts=("localhost:9001",))


def made(*cells, n=8, simulated=False):
    """A benchmark of cells: (model, version, image size, E2E)."""
    return Benchmark(
        tuple(
            measurement(Call(model, None, version, size), e2e * (1 + 0.01 * i))
            for model, version, size, e2e in cells
            for i in range(n)
        ),
        Settings(day="2026-11-24", hosts=("localhost:9001",), simulated=simulated),
    )


@pytest.mark.parametrize(
    ("cells", "title"),
    [([], "No request succeeded"),
     ([("a/1", "v2", 320, 0.1)], "a/1, v2, 320 px: median E2E 104 ms"),
     ([("a/1", "v2", None, 0.1), ("b/1", "v2", None, 0.3)], "b/1, v2 takes 3 times as long as a/1, v2"),
     ([("a/1", "v2", None, 0.1), ("a/1", "v1", None, 0.2)], "a/1: v1 takes 2 times as long as V2"),
     ([("a/1", "v2", None, 0.1), ("a/1", "v1", None, 0.1)], "a/1: v1 and V2 differ by no more than noise"),
     ([("a/1", "v2", 9, 0.1), ("a/1", "v1", 9, 0.2), ("b/1", "v2", 9, 0.1), ("b/1", "v1", 9, 0.4)],
      "v1 takes 2 to 4 times as long as V2")],
)  # fmt: skip
def test_the_title_is_the_finding(cells, title):
    assert repr(made(*cells)).splitlines()[0] == title
    plot = made(*cells, simulated=True).plot()
    assert plot.alt == f"Plot: {title} (simulated)"


def test_the_rows_are_in_order():
    sizes = ("original", 640, None, 320)
    result = made(*(("a/1", v, size, 0.1) for size in sizes for v in ("v1", "v2")))
    assert [(row["api_version"], row["image_size"]) for row in result.rows()] == [
        (v, size) for v in ("v2", "v1") for size in (None, 320, 640, "original")
    ]


def test_rows_cannot_be_changed_from_outside():
    result = made(("a/1", "v2", None, 0.1))
    result.rows()[0]["error_kinds"]["x"] = 1
    assert result.rows()[0]["error_kinds"] == {}


def test_a_data_frame():
    columns = ["model", "api_version", "image_size", "n", "errors", "e2e_p50", "e2e_p90",
               "e2e_p95", "e2e_p99", "e2e_mean", "exec_p50", "rate", "bytes_up"]  # fmt: skip
    assert set(columns) <= set(made(("a/1", "v2", None, 0.1)).to_pandas().columns)
    assert set(columns) <= set(made().to_pandas().columns)
    assert len(made().to_pandas()) == 0


def test_published_values_stand_beside_the_measured():
    result = made(("yolov8n-640", "v2", None, 0.1), ("a/1", "v2", None, 0.1))
    assert [row["published ms"] for row in result._readable()] == ["-", "384"]
    assert "another day" in repr(result)
    assert "another day" not in repr(made(("a/1", "v2", None, 0.1)))
    assert any("published" in text.get_text() for text in result.plot().legends[0].get_texts())


def test_a_stand_in_is_called_one():
    result = rfhosted.benchmark("yolov8n-640", rfhosted.sample("cat"), requests=1, warmup=1)
    assert {row["stand_in"] for row in result.rows()} == {"local/object-detection"}
    assert "(stand-in)" in repr(result)
    assert all(row["published ms"] == "-" for row in result._readable())
    assert any("is a stand-in for yolov8n-640" in note for note in result.notes())


def test_the_plots_start_at_zero_and_name_the_finding():
    result = made(("a/1", "v2", None, 0.1), ("a/1", "v1", None, 0.2))
    for plot in (result.plot(), result.plot_parts()):
        (axes,) = plot.axes
        assert axes.get_xlim()[0] == 0
        assert [label.get_text() for label in axes.get_yticklabels()] == ["a/1, v2", "a/1, v1"]
    assert result.plot_parts().alt.startswith("Plot: Most time goes into")
    assert result._repr_html_().count("<img") == 2


def test_a_run_without_a_success_shows_itself(tmp_path):
    error = errors.RateLimitedError("slow down", status=429)
    result = rfhosted.benchmark(
        "a/1", rfhosted.sample("cat"), api_versions="v2", requests=3, client=Timed(lambda n: error).client()
    )  # fmt: skip
    (row,) = result.rows()
    assert (row["n"], row["errors"], row["e2e_p50"], row["exec_p50"]) == (0, 3, None, None)
    assert "3 RateLimitedError 429" in repr(result)
    assert result._repr_html_().count("<img") == 2
    assert Benchmark.load(result.save(tmp_path / "b.json")).rows() == result.rows()


def test_slower_faster_or_noise():
    rng = np.random.default_rng(1)
    cell = Call("a/1", None, "v2")

    def drawn(median, n=60):
        times = median * rng.lognormal(0, 0.2, n)
        return Benchmark(tuple(measurement(cell, float(t)) for t in times), SETTINGS)

    base = drawn(1.0)
    assert drawn(1.5).compare(base).rows()[0]["verdict"] == "slower"
    assert drawn(0.6).compare(base).rows()[0]["verdict"] == "faster"
    assert drawn(1.0).compare(base).rows()[0]["verdict"] == "no more than noise"
    assert drawn(1.0, 3).compare(base).rows()[0]["verdict"] == "too few requests"
    changes = drawn(1.5).compare(base)
    (row,) = changes.rows()
    assert row["ratio_low"] < 1.5 < row["ratio_high"] * 1.1
    assert "slower" in repr(changes)
    assert "slower" in changes._repr_html_()
    none = made(("b/1", "v2", None, 1.0)).compare(base)
    assert none.rows() == []
    assert list(none.to_pandas().columns) == list(changes.to_pandas().columns)


def test_saved_and_loaded_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    error = errors.ServiceError("broken", status=500)
    transport = Timed(lambda n: error if n % 4 == 0 else {"simulated": "known times"})
    result = rfhosted.benchmark(
        "a/1", rfhosted.sample("cat"), requests=5, image_sizes=[None, 90], client=transport.client()
    )
    path = result.save("~/b.json")
    assert path == tmp_path / "b.json"
    again = Benchmark.load("~/b.json")
    assert again.samples == result.samples
    assert again.settings == result.settings
    assert repr(again) == repr(result)


def test_files_of_earlier_versions_load():
    result = Benchmark.load(OLD_FILE)
    assert [row["n"] for row in result.rows()] == [2, 3, 3, 3]
    assert result.rows()[0]["error_kinds"] == {"ModelNotReadyError 503": 1}
    assert result.simulated
    assert result.compare(result).rows()[0]["ratio"] == 1


def test_the_key_is_in_nothing_that_is_shown_or_saved(scripted, tmp_path):
    from support.scripted import Response

    client = rfhosted.Client(CANARY, base_url=scripted.url)
    scripted.respond(Response(), Response(f'{{"message": "no {CANARY}"}}'.encode(), 401))
    result = rfhosted.benchmark(
        "a/1", rfhosted.sample("cat"), api_versions=["v2"], requests=4, client=client
    )
    assert any(CANARY in str(request) for request in scripted.received)
    saved = result.save(tmp_path / "b.json").read_text()
    for text in (saved, repr(result), result._repr_html_(), repr(result.rows())):
        assert CANARY not in text


def test_a_failing_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = made(("a/1", "v2", None, 0.1)).save(tmp_path / "b.json")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        made(("a/1", "v2", None, 0.9)).save(path)
    assert path.read_bytes() == before


TEXT = OLD_FILE.read_text()


@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b"null", b"{}", b'"text"', TEXT[: len(TEXT) // 2].encode(), TEXT.encode("utf-16"),
     b"\xff\xd8\xff\xe0", b"[" * 100_000, b'{"rfhosted_benchmark": 1}', b"9" * 10_000,
     TEXT.replace('"rfhosted_benchmark": 1', '"rfhosted_benchmark": 2').encode()],
)  # fmt: skip
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "notes.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes\.json cannot be loaded as a benchmark"):
        Benchmark.load(path)


def test_a_newer_file_says_so(tmp_path):
    path = tmp_path / "b.json"
    path.write_text(json.dumps(json.loads(TEXT) | {"rfhosted_benchmark": 7}))
    with pytest.raises(ValueError, match="format is '7'"):
        Benchmark.load(path)


ODD = [None, True, -1, 0, 1e400, float("nan"), 10**400, "", "  ", "a$b$\\frac", "\x1b[31m", [], ["a"], {},
       {"a": {}}, "v9", 1e12]  # fmt: skip


def places(value, path=()):
    """Every place in a JSON value."""
    if path:
        yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def test_a_file_that_was_edited_loads_and_shows_itself_or_is_refused(tmp_path):
    """Each value of a small file replaced by each odd one, taken out, or given a neighbour."""
    small = json.loads(TEXT)
    small["samples"] = [small["samples"][-1]]
    path = tmp_path / "b.json"
    tried = refused = loaded = 0
    for place in [*places(small)]:
        for odd in [*ODD, "removed", "added"]:
            data = copy.deepcopy(small)
            *way, last = place
            parent = data
            for key in way:
                parent = parent[key]
            if odd == "removed":
                del parent[last]
            elif odd == "added" and isinstance(parent, dict):
                parent["unknown"] = 1
            else:
                parent[last] = odd
            path.write_text(json.dumps(data))
            tried += 1
            try:
                result = Benchmark.load(path)
            except ValueError as error:
                refused += str(path) in str(error)
                continue
            loaded += 1
            assert "\x1b" not in repr(result)
            result.parts()
            result.compare(result)
            result.save(path)
    assert tried > 500
    assert refused + loaded == tried  # each refusal names the file
    assert refused > tried / 2
