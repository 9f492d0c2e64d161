"""One image at several sizes: against servers that count the requests they receive."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rfhosted import AuthenticationError, Client, TooLargeError, sample, sweep
from rfhosted.comparison.sweep_result import Sweep
from rfhosted.default import default_client
from rfhosted.transport.connection import Stop
from support.html_tree import Tree
from support.scripted import Response
from support.timed import Timed

TASK = "object-detection"
#: In pixels of the image that is sent.
DOG = {"x": 5, "y": 5, "width": 8, "height": 8, "confidence": 0.9, "class": "dog", "class_id": 1}
CAT = DOG | {"class": "cat"}


def response(*found, time=0.01):
    body = {"predictions": list(found), "time": time}
    return Response(json.dumps(body).encode())


def failure(status=500):
    return Response(b'{"message": "no"}', status)


def image_of(size=(800, 400)):
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8))


def client(scripted, **options):
    return Client(base_url=scripted.url, retries=0, **options)


def swept(scripted, *responses, image=None, sizes=(200, 400, "original"), **options):
    scripted.respond(*responses)
    return sweep(
        image or image_of(),
        "a/1",
        image_sizes=sizes,
        task=TASK,
        client=client(scripted),
        **options,
    )


def test_each_size_is_sent_once_after_a_warm_up(scripted):
    steps = []
    found = swept(scripted, response(), on_step=lambda *step: steps.append(step))
    assert [len(a.body) for a in scripted.received][:2] == [found.rows()[0]["bytes_up"]] * 2
    assert [len(a.body) for a in scripted.received][1:] == [r["bytes_up"] for r in found.rows()]
    assert [row["image_size"] for row in found.rows()] == [200, 400, "original"]
    assert [row["sent"] for row in found.rows()] == ["200 x 100", "400 x 200", "800 x 400"]
    assert steps == [
        (0, 4, "warming up"),
        (1, 4, "200 px"),
        (2, 4, "400 px"),
        (3, 4, "original"),
        (4, 4, "done"),
    ]


def test_the_smallest_comes_first_whatever_the_order(scripted):
    found = swept(scripted, response(), sizes=["original", 400, 200])
    assert [row["image_size"] for row in found.rows()] == [200, 400, "original"]
    assert list(found.predictions) == [200, 400, "original"]
    assert found.predictions["original"].upload.size == (800, 400)


def test_agreement_is_with_the_largest(scripted):
    # Coordinates are scaled to the original, so that equal results must differ by the scale.
    scaled = [DOG | {k: DOG[k] * f for k in ("x", "y", "width", "height")} for f in (1, 2, 4)]
    warm_up = response(CAT, CAT, CAT)
    found = swept(
        scripted, warm_up, response(CAT), response(scaled[1]), response(scaled[2], time=0.5)
    )
    assert [row["agreement"] for row in found.rows()] == [0, 1, 1]
    assert [row["exec"] for row in found.rows()] == [0.01, 0.01, 0.5]
    assert all(row["e2e"] > 0 for row in found.rows())
    assert found.rows()[0]["found"] == "1 object: 1 cat"
    share = found.rows()[1]["bytes_up"] / found.rows()[2]["bytes_up"]
    finding = f"400 px agrees to 100% with 800 px, for {share:.0%} of the bytes"
    assert found.summary() == finding
    assert finding in found.plot().alt


def test_the_finding_is_what_was_found(scripted):
    none = swept(scripted, response())
    assert none.summary() == "Nothing was found at 800 px: try a lower confidence"
    apart = swept(scripted, response(CAT), response(CAT), response(CAT), response(DOG))
    assert apart.summary() == (
        "No smaller size agrees with 800 px to 90%: 200 px comes nearest with 0%"
    )
    alone = swept(scripted, response(DOG), sizes=[400])
    assert alone.summary() == (
        "Only one size succeeded, 400 px: there is nothing to compare it with"
    )


def test_sizes_over_that_of_the_image_are_one_request(scripted):
    found = swept(scripted, response(DOG), sizes=(400, 2000, None, "original", 4000, 400))
    assert len(scripted.received) == 1 + 2
    assert [(row["image_size"], row["image_sizes"]) for row in found.rows()] == [
        (400, [400]),
        (2000, [2000, None, "original", 4000]),
    ]
    assert list(found.predictions) == [400, 2000, None, "original", 4000]
    assert len({row["e2e"] for row in found.rows()}) == 2
    assert "2000 px, automatic, original, 4000 px" in repr(found)  # one row
    assert len(repr(found).splitlines()) == 1 + 1 + 2
    assert len(found.plot().axes[0].patches) == 2


def test_any_two_sizes_are_compared_with_one_call(scripted):
    found = swept(scripted, response(), response(CAT), response(), response(DOG), sizes=(200, None))
    c = found.compare(200, None)
    assert (c.a, c.b) == (found.predictions[200], found.predictions[None])
    assert len(scripted.received) == 3  # nothing more was sent
    with pytest.raises(ValueError, match="no result at 640; it has results at 200, None"):
        found.compare(200, 640)
    with pytest.raises(ValueError, match="none"):
        Sweep(()).compare(200, 400)


def test_the_title_names_image_model_and_task(scripted, tmp_path):
    path = tmp_path / "street.png"
    image_of().save(path)
    found = swept(scripted, response(DOG), image=path)
    assert found.title() == f"street.png, a/1, {TASK}: {found.summary()}"
    assert repr(found).startswith(found.title() + "\n")
    unnamed = swept(scripted, response(DOG))
    assert unnamed.title().startswith(f"image of 800 x 400 pixels, a/1, {TASK}: ")
    named = swept(scripted, response(DOG), image_name="Street <b>")
    assert named.title().startswith("Street <b>, a/1")
    assert "<b>" not in named._repr_html_()
    assert Sweep(()).title() == "No size succeeded"


def test_a_size_that_fails_keeps_the_others(scripted):
    found = swept(scripted, response(DOG), response(DOG), failure(), response(DOG))
    errors = [row["error"] for row in found.rows()]
    assert errors[0] is errors[2] is None
    assert "HTTP 500" in errors[1]
    assert found.rows()[1]["agreement"] is None
    assert list(found.predictions) == [200, "original"]
    assert len(found.plot().axes[0].patches) == 2
    assert "HTTP 500" in found._repr_html_()


def test_the_reference_is_the_largest_that_succeeded(scripted):
    found = swept(scripted, response(DOG), response(CAT), response(DOG), failure())
    assert [row["agreement"] for row in found.rows()] == [0, 1, None]
    assert "with 400 px" in found.summary()


def test_too_large_for_the_version_is_a_size_that_fails(scripted):
    file = io.BytesIO()
    image_of((1600, 1400)).save(file, "PNG", compress_level=1)
    big = file.getvalue()
    assert len(big) > 5_000_000
    scripted.respond(response())
    v1 = client(scripted, api_version="v1")
    found = sweep(big, "a/1", image_sizes=["original", 320], task=TASK, client=v1)
    assert [row["image_size"] for row in found.rows()] == [320, "original"]
    assert "are allowed; nothing was sent" in found.rows()[1]["error"]
    assert found.rows()[1]["bytes_up"] is None
    assert len(scripted.received) == 2
    with pytest.raises(TooLargeError):
        sweep(big, "a/1", image_sizes=["original"], task=TASK, client=v1)
    assert len(scripted.received) == 2


def test_where_no_size_succeeds_the_first_error_is_raised(scripted):
    with pytest.raises(AuthenticationError):
        swept(scripted, failure(401))
    assert len(scripted.received) == 1  # what fails first would fail again
    scripted.received.clear()
    with pytest.raises(AuthenticationError):
        swept(scripted, response(), failure(401), failure(500))
    assert len(scripted.received) == 4


def test_it_can_be_stopped_between_requests(scripted):
    received = scripted.received
    found = swept(scripted, response(DOG), stop=lambda: len(received) == 3)
    assert len(received) == 3
    errors = [row["error"] for row in found.rows()]
    assert errors == [None, None, "not sent: the sweep stopped"]
    assert found.rows()[1]["agreement"] == 1
    received.clear()
    steps = []
    nothing = swept(scripted, response(), stop=lambda: True, on_step=lambda *s: steps.append(s))
    assert not received
    assert steps == [(0, 4, "stopped")]
    assert nothing.summary() == "No size succeeded"
    assert nothing.predictions == {}
    assert isinstance(nothing.plot(), Figure)
    assert "not sent" in nothing._repr_html_()


@pytest.mark.parametrize("slow", [0, 1, 2])
def test_a_request_in_flight_is_cut_off(scripted, slow):
    responses = [response(DOG) for _ in range(4)]
    responses[slow] = Response(responses[slow].body, delay=40)
    stop = Stop()

    def on_step(done, total, label):
        if done == slow and label != "stopped":
            threading.Timer(0.2, stop.set).start()

    began = time.monotonic()
    found = swept(scripted, *responses, stop=stop, on_step=on_step)
    assert time.monotonic() - began < 20  # half of what the server would have taken
    assert list(found.predictions) == [200, 400, "original"][: max(0, slow - 1)]
    assert all("stopped" in row["error"] for row in found.rows() if row["e2e"] is None)
    assert len(scripted.received) == slow + 1


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill(SIGINT) ends the process there")
def test_an_interrupt_cuts_off_the_request_in_flight(scripted):
    def press():
        while len(scripted.received) < 3:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    began = time.monotonic()
    found = swept(scripted, response(DOG), response(DOG), Response(delay=40))
    presser.join()
    assert time.monotonic() - began < 20
    assert list(found.predictions) == [200]
    assert len(scripted.received) == 3


@pytest.mark.parametrize("error", [RecursionError("deep"), OverflowError(), KeyError("class")])
def test_an_error_of_ours_costs_one_size(error):
    transport = Timed(lambda n: error if n == 2 else {})
    found = sweep(
        image_of(),
        "a/1",
        image_sizes=(200, 400, 600),
        task=TASK,
        client=transport.client(retries=0),
    )
    assert list(found.predictions) == [200, 600]
    assert type(error).__name__ in found.rows()[1]["error"]
    assert "report" in repr(found)


def test_results_that_cannot_be_compared_are_kept():
    top = {"predictions": [{"class": "cat", "class_id": 0, "confidence": 0.9}], "top": "cat"}
    transport = Timed(lambda n: top | {"confidence": 0.9} if n == 1 else {})
    client = transport.client(retries=0)
    found = sweep(image_of(), "a/1", image_sizes=(200, 400, "original"), client=client)
    assert [row["agreement"] for row in found.rows()] == [None, 1, 1]
    assert found.rows()[0]["error"]
    assert list(found.predictions) == [200, 400, "original"]
    assert found._repr_html_()


@pytest.mark.parametrize(
    ("sizes", "sent"),
    [(200, [200]), ("original", ["original"]), (None, [None]), (np.int64(200), [200]),
     (np.array([400, 200]), [200, 400]), ((n for n in (200, 200)), [200])],
)  # fmt: skip
def test_one_or_several_sizes(sizes, sent):
    client = Timed().client(retries=0)
    found = sweep(image_of(), "a/1", image_sizes=sizes, task=TASK, client=client)
    assert [row["image_size"] for row in found.rows()] == sent
    assert all(type(row["image_size"]) in (int, str, type(None)) for row in found.rows())


def test_a_table_without_sizes_has_its_columns():
    assert list(Sweep(()).to_pandas().columns)[:3] == ["image_size", "sent", "bytes_up"]
    assert repr(Sweep(())) == "No size succeeded"


def test_an_interrupted_kernel_keeps_what_is_finished(scripted):
    def interrupt_at(name):
        def on_step(done, total, label):
            if label == name:
                raise KeyboardInterrupt

        return on_step

    found = swept(scripted, response(DOG), on_step=interrupt_at("400 px"))
    assert list(found.predictions) == [200]
    with pytest.raises(KeyboardInterrupt):
        swept(scripted, response(DOG), on_step=interrupt_at("200 px"))


def test_arguments_that_make_no_sense_are_refused_before_anything_is_sent(scripted):
    for bad in ({"sizes": ()}, {"sizes": [320, -1]}, {"confidence": 40}):
        with pytest.raises(ValueError, match=r"size|fraction"):
            swept(scripted, response(), **bad)
    assert not scripted.received


def test_options_reach_the_server(scripted):
    swept(scripted, response(), confidence=0.25, overlap=0.5)
    assert {a.query["confidence"] for a in scripted.received} == {"0.25"}
    assert {a.query["overlap"] for a in scripted.received} == {"0.5"}


def test_the_image_is_read_once(scripted, tmp_path):
    reads = []

    class Once:
        def read(self):
            reads.append(1)
            assert len(reads) == 1
            return sample("cat").read_bytes()

    swept(scripted, response(), image=Once())
    assert reads == [1]


def test_the_plot_starts_at_zero_and_names_its_lines(scripted):
    plot = swept(scripted, response(DOG, time=0.02)).plot()
    agreement, latency, payload = plot.axes
    assert all(axes.get_ylim()[0] == 0 for axes in plot.axes)
    assert [text.get_text() for text in latency.texts] == ["E2E", "Exec"]
    assert {line.get_marker() for line in latency.lines} == {"o", "s"}
    ticks = [label.get_text() for label in payload.get_xticklabels()]
    assert ticks == ["200", "400", "800\noriginal"]
    assert [bar.get_height() for bar in agreement.patches][-1] == 100
    assert latency.get_ylim()[1] > max(latency.lines[0].get_ydata())
    assert plot.get_suptitle().replace("\n", " ") in plot.alt
    without_exec = swept(scripted, Response(b'{"predictions": []}')).plot()
    assert [text.get_text() for text in without_exec.axes[1].texts] == ["E2E"]


def test_it_shows_itself(scripted):
    found = swept(scripted, response(DOG))
    tree = Tree(found._repr_html_())
    (image,) = tree.all("img")
    assert image["alt"] == f"Plot: {found.title()}"
    assert len(tree.all("tr")) == 4
    assert repr(found).startswith(found.title() + "\nimage size")
    assert list(found.to_pandas()["image_size"]) == [200, 400, "original"]


@pytest.mark.parametrize("task", ["classification", "semantic-segmentation", "keypoint-detection"])
def test_the_local_models_sweep_without_a_client(task):
    found = sweep(sample("camera"), task=task, image_sizes=(128, "original"))
    assert [row["agreement"] for row in found.rows()][-1] == 1
    assert 0 <= found.rows()[0]["agreement"] <= 1
    assert found.rows()[0]["bytes_up"] < found.rows()[1]["bytes_up"]
    assert default_client().is_local
