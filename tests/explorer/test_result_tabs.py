"""What a saved panel holds, what each control has, and ``explore`` itself; without a browser."""

from __future__ import annotations

import json
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest
from ipywidgets.embed import dependency_state, embed_data
from ipywidgets.widgets.widget import _instances

from rfhosted import (
    Client,
    ImageError,
    ModelNotFoundError,
    ServiceError,
    Task,
    explore,
    sample,
)
from rfhosted.default import default_client
from rfhosted.explorer import Explorer
from rfhosted.explorer.result_tabs import TABS
from rfhosted.hosted import IMAGE_TASKS
from support.explored import FOUND, explored, names, response
from support.exported import SAMPLES
from support.html_tree import Tree
from support.panels import everything, inside, page, shown, type_in
from support.scripted import Response

CANARY = "CANARYkl23MN45op67QR89"


@pytest.fixture
def case(scripted):
    return shown(scripted=scripted)


def test_a_typed_key_is_in_no_widget(case):
    before = case.panel.request.key_line.value
    case.panel.request.key.set_state({"value": f" {CANARY} "})
    assert case.panel.request.key.value == ""
    assert case.state.client.has_key
    assert case.panel.request.key_line.value != before
    case.state.run()
    assert case.server.received[0].query["api_key"] == CANARY
    for number in range(len(TABS)):
        case.panel.results.tabs.selected_index = number
        saved = [embed_data(views=[case.panel.widget]), dependency_state(case.panel.widget)]
        assert CANARY not in json.dumps(saved, default=repr)
    assert len(_instances) > 100
    for widget in _instances.values():  # all that there are in this process
        assert CANARY not in repr(widget.get_state())
    assert CANARY not in everything(case.panel)
    type_in(case.panel.request.key, "  ")
    assert case.state.problem is None


@pytest.mark.parametrize("noisy", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_a_saved_panel_is_small(task, noisy):
    made = explored(model=None, picture=SAMPLES[task])
    state, explorer = made.state, Explorer(made.state)
    if noisy:
        rng = np.random.default_rng(0)
        state.choose(rng.integers(0, 255, (900, 1200, 3), np.uint8))
    state.change(task=task)
    state.show(confidence=0.1)
    state.run()
    state.pin()
    state.change(image_size=300)
    state.run()
    state.run_sweep((160, 320, "original"))
    assert state.problem is None
    for number in range(len(TABS)):
        explorer.panel.results.tabs.selected_index = number
        assert page(explorer.panel)
        saved = json.dumps(dependency_state(explorer.panel.widget, drop_defaults=True))
        whole = len(saved) + len(json.dumps(explorer._copy()))
        assert whole < 200_000, TABS[number]
        assert "data:image/jpeg" in saved


def test_every_control_is_stock_and_has_a_label_and_a_tooltip(case):
    case.state.run()
    # The buttons of these two are looked at in the browser.
    own = (case.panel.image.view.widget, case.panel.script)
    all_of_them = [widget for widget in inside(case.panel.widget) if widget not in own]
    assert {type(w).__module__.split(".")[0] for w in all_of_them} == {"ipywidgets"}
    controls = [w for w in all_of_them if not isinstance(w, (widgets.Box, widgets.HTML))]
    assert len(controls) > 25
    for control in controls:
        if isinstance(control, widgets.Tab):
            continue
        assert control.tooltip, control
        # A slider stands beside a field with a name, the buttons of the samples have their own.
        if not isinstance(control, (widgets.FloatSlider, widgets.ToggleButtons)):
            assert control.description, control
    labels = [c.description for c in controls if getattr(c, "description", "")]
    assert len(set(labels)) == len(labels)


# explore()


def arguments():
    from PIL import Image

    image = Image.open(sample("cat"))
    return {
        "nothing": None,
        "a path": str(sample("cat")),
        "a Path": sample("cat"),
        "bytes": sample("cat").read_bytes(),
        "pixels": image.copy(),
        "an array": np.asarray(image.convert("RGB")),
    }


@pytest.mark.parametrize("kind", arguments())
def test_images_of_all_kinds_are_explored(kind):
    explorer = explore(arguments()[kind])
    assert explorer.state.source.image.size == ((3000, 2000) if kind == "nothing" else (451, 300))
    assert explorer.result is None
    assert "no result yet" in repr(explorer)
    explorer.state.run()
    assert explorer.state.wait(60)
    assert names(explorer.result)
    assert explorer.result.summary() in repr(explorer)


def test_a_model_is_explored():
    explorer = explore(model="local/keypoint-detection")
    assert explorer.state.call.task is Task.KEYPOINT_DETECTION
    assert explorer.panel.request.fields["task"].value is Task.KEYPOINT_DETECTION
    assert explorer.state.response is None  # nothing is sent before there is a panel
    assert explorer.state.auto
    assert explorer.state.client is default_client()


def test_a_client_is_explored(scripted):
    own = Client(base_url=scripted.url, api_version="v1")
    explorer = explore(client=own, model="a/1")
    assert explorer.state.client is own
    assert explorer.state.call.api_version == "v1"
    assert explorer.panel.request.fields["api_version"].value == "v1"
    assert not explorer.state.auto
    assert scripted.received == []


def test_run_from_code(scripted):
    scripted.respond(response(*FOUND), Response(status=500))
    explorer = explore(client=Client(base_url=scripted.url, retries=0), model="a/1")
    assert names(explorer.run()) == ["dog", "dog"]
    with pytest.raises(ServiceError):
        explorer.run()
    assert names(explorer.result) == ["dog", "dog"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"image": "no/such.jpg"}, ImageError),
        ({"image": b"text"}, ImageError),
        ({"image": 7}, TypeError),
        ({"image": np.zeros((4, 4), np.uint8)}, ValueError),
        ({"model": "yolov8n-64"}, ModelNotFoundError),
    ],
)
def test_what_cannot_be_explored_is_raised(options, error):
    with pytest.raises(error):
        explore(**options)


def test_the_copy_for_readers_without_a_kernel(scripted, monkeypatch):
    displayed = []
    monkeypatch.setattr(
        "rfhosted.explorer.panel.display",
        lambda *a, **_: displayed.append(Copy(a)) or displayed[-1],
    )
    monkeypatch.setattr("rfhosted.explorer.panel._QUIET", 0.01)
    notebook = SimpleNamespace(kernel=None)
    monkeypatch.setattr("rfhosted.explorer.panel.get_ipython", lambda: notebook)
    made = explored(scripted)
    explorer = Explorer(made.state)
    explorer._ipython_display_()
    copy, panel = displayed
    model = panel.shown["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert model == explorer.panel.widget.model_id
    assert panel.shown["text/plain"] == ""
    name, *_ = Tree(copy.shown["text/html"]).all("div")
    assert "Run this cell again" in copy.shown["text/html"]
    assert f".{name['class']} {{display: none}}" in explorer.panel.style.value
    made.state.run()
    made.state.show(confidence=0.6)
    explorer._timer.join(20)
    assert "&gt;= 0.60" in copy.shown["text/html"]
    assert len(copy.shown["text/html"]) < 30_000


def test_a_terminal_shows_one_sentence(capsys):
    explorer = explore(sample("cat"))
    explorer._ipython_display_()
    printed = capsys.readouterr().out
    assert printed == f"{explorer!r}\n"
    assert printed.count("\n") == 1
    assert explorer._panel is None


class Copy:
    def __init__(self, shown):
        (self.shown,) = shown

    def update(self, shown, raw):
        assert raw
        self.shown = shown
