"""Texts that people read, as they stand: a change is one diff in __snapshots__/test_prose.ambr.

Each room adds its texts here. Update with ``pytest tests/test_prose.py --snapshot-update``, read
the diff, and keep assertions on values, classes and attributes in the room's own tests.
"""

from __future__ import annotations

import re
from dataclasses import replace

import ipywidgets as widgets
import pytest

from rfhosted import ApiVersion, Task, compare
from rfhosted.explorer.result_tabs import TABS
from rfhosted.outputs.values import KeyPoint
from support.explored import explored, response
from support.html_tree import words
from support.jobs import Threads
from support.panels import inside, page, shown, type_in
from support.predictions import class_map, objects, ranking, thing

NAMES = {0: "background", 1: "cat", 2: "dog"}


def person(*points):
    slots = tuple(KeyPoint(x, y, 0.9, i, name) for i, (name, x, y) in enumerate(points))
    return thing("person", (0, 0, 50, 50), key_points=slots)


PREDICTIONS = {
    "boxes": objects(thing(), thing(), thing("cat", (50.5, 20, 90, 60), 0.456)),
    "one box": objects(thing(), notes=("A note.",)),
    "many classes": objects(*(thing(f"class {i}") for i in range(12))),
    "masks": objects(thing(), task=Task.INSTANCE_SEGMENTATION),
    "keypoints": objects(
        person(("nose", 10, 10), ("left_eye", 20, 20)), task=Task.KEYPOINT_DETECTION
    ),
    "ranking": ranking(("cat", 0.8), ("dog", 0.15), ("bird", 0.004)),
    "labels": ranking(("cat", 0.8), ("dog", 0.6), ("bird", 0.1), multi={"cat", "dog"}),
    "no labels": ranking(("cat", 0.2), multi=set()),
    "class map": class_map([[0, 1], [2, 2]], NAMES, size=(20, 20)),
    "no boxes": objects(),
    "no ranking": ranking(),
    "no classes": class_map([[0]], NAMES, size=(10, 10)),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions(name, snapshot):
    prediction = PREDICTIONS[name]
    assert repr(prediction) == snapshot(name="terminal")
    assert words(prediction._repr_html_()) == snapshot(name="notebook")


def test_timing(snapshot):
    timing = replace(PREDICTIONS["boxes"].timing, connect=0.01, wait=0.2, upload=0.0004)
    assert words(timing._repr_html_()) == snapshot


def two(name, **changes):
    return PREDICTIONS[name], replace(PREDICTIONS[name], **changes)


COMPARISONS = {
    "boxes": (PREDICTIONS["boxes"], PREDICTIONS["one box"]),
    "thresholds": two("boxes", confidence=0.6, api_version=ApiVersion.V1),
    "keypoints": two("keypoints"),
    "ranking": (PREDICTIONS["ranking"], ranking(("dog", 0.7), ("cat", 0.3))),
    "class map": two("class map"),
    "nothing": two("no boxes"),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name, snapshot):
    comparison = compare(*COMPARISONS[name])
    assert repr(comparison) == snapshot(name="terminal")
    assert words(comparison._repr_html_()) == snapshot(name="notebook")


def message(call, *args, **options):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(*args, **options)
    return str(caught.value)


def test_arguments_that_make_no_sense(snapshot):
    boxes, labels = PREDICTIONS["boxes"], PREDICTIONS["labels"]
    assert [
        message(boxes.draw, layers=["box"]),
        message(boxes.draw, layers=3),
        message(boxes.draw, line_width=2.5),
        message(boxes.draw, labels=["dog"]),
        message(boxes.draw, max_side=640.0),
        message(boxes.html, table_rows=-1),
        message(boxes.html, max_bytes="200 kB"),
        message(labels.draw, top=10_000),
        message(compare, boxes, "dog.jpg"),
        message(compare, boxes, labels),
        message(compare, boxes, objects(size=(10, 10))),
        message(compare, boxes, boxes, iou=0),
        message(compare, boxes, boxes, iou=50),
    ] == snapshot


def test_what_is_left_out(snapshot, monkeypatch):
    monkeypatch.setattr("rfhosted.display.annotate.MOST_DRAWN_OBJECTS", 2)
    monkeypatch.setattr("rfhosted.display.annotate.MOST_DRAWN_KEYPOINTS", 1)
    people = [person(("nose", 10, 10), ("left_eye", 20, 20))] * 3
    crowd = objects(*people, task=Task.KEYPOINT_DETECTION)
    assert crowd._notes() == snapshot


def controls(panel):
    """Labels and tooltips of the controls, and the text of the HTML between them, in order."""
    for widget in inside(panel.widget):
        if isinstance(widget, widgets.HTML):
            if "<style>" not in widget.value and (text := words(widget.value)):
                yield text
        elif getattr(widget, "tooltip", None) and widget.description:
            yield f"[{widget.description}] {widget.tooltip}"


CLIENTS = {
    "hosted": {"api_key": "a-key"},
    "eu": {"api_key": "a-key", "region": "eu"},
    "own server": {"base_url": "http://127.0.0.1:9"},
}


def test_panel(snapshot):
    local = list(controls(shown(model=None).panel))
    assert "\n".join(local) == snapshot(name="local")
    for name, client in CLIENTS.items():
        lines = controls(shown(model=None, **client).panel)
        assert [line for line in lines if line not in local] == snapshot(name=name)


def test_panel_status(scripted, snapshot):
    made = shown(scripted=scripted)
    state, results = made.state, made.panel.results
    texts = []

    def note(what):
        state.notice = ""  # it has a time
        state.fail(state.problem)
        texts.append(f"{what}: {words(results.status.value)}")

    state.run()
    note("nothing")
    state.choose_sample("coffee")
    note("image")
    state.choose_sample("astronaut")
    state.run()
    state.change(overlap=0.5)
    note("call")
    state.change(overlap=0.3)
    state.set_key("a-key")
    note("key")
    state.run()
    state.show(confidence=0.01, classes={"dog", "cat"})
    note("confidence")
    texts.append("Showing" + words(made.panel.image.caption.value).partition("Showing")[2])
    state.change(model="yolov8n-64")
    texts.append(words(made.panel.request.plan.value))
    type_in(made.panel.picker.path, "api_key=1")
    note("path")
    state.cancel()
    assert texts == snapshot


def test_panel_comparison(scripted, snapshot):
    made = shown(scripted=scripted)
    state, tabs = made.state, made.panel.results.tabs
    state.run()
    tabs.selected_index = TABS.index("Compare")
    texts = [words(page(made.panel))]
    state.pin()
    texts.append(words(page(made.panel)))
    state.choose_sample("coffee")
    state.run()
    texts.append(words(page(made.panel)))
    assert texts == snapshot
    tabs.selected_index = TABS.index("Code")
    code = words(page(made.panel)).replace(scripted.url, "http://127.0.0.1")
    assert code == snapshot(name="code")


def test_notices(scripted, snapshot):
    state = explored(scripted, spawn=(threads := Threads())).state
    notices = []
    state.observe(lambda _: notices.append(re.sub(r"[\d.,]+ ms", "5 ms", state.notice)))
    for run in (state.run, state.run_both_versions, state.run_half_size, state.run_sweep):
        run()
        assert state.wait(20)
    scripted.respond(response(delay=1))
    state.run()
    state.cancel()
    state.set_key("a-key")
    threads.join()
    assert sorted(set(notices)) == snapshot
