"""An API key in anything that a user types, or that a server sends back, is shown nowhere."""

from __future__ import annotations

import json

import pytest
from ipywidgets.embed import dependency_state
from ipywidgets.widgets.widget import _instances

from rfhosted import Client, explore
from rfhosted.explorer import Explorer
from rfhosted.explorer.fragments import NOTHING_YET
from rfhosted.explorer.result_tabs import TABS
from support.explored import FOUND, explored, response
from support.leaks import chain
from support.panels import page, type_in
from support.recordings import IMAGES
from support.scripted import Response

KEY = "rfCanary77Qz81Wx"


def assert_hidden(explorer, *more):
    """The key is in nothing that is shown or saved."""
    tabs = explorer.panel.results.tabs
    texts = [repr(explorer), *explorer.state.code, *more, chain(explorer.state.problem)]
    for number in range(len(TABS)):
        tabs.selected_index = number
        texts.append(json.dumps(dependency_state(explorer.panel.widget), default=repr))
    texts += [repr(widget.get_state()) for widget in list(_instances.values())]
    for text in texts:
        assert KEY not in text


@pytest.fixture
def explorer(scripted):
    made = Explorer(explored(scripted).state)
    assert made.panel
    return made


@pytest.mark.parametrize(
    ("typed", "model"),
    [
        ("https://detect.roboflow.com/proj/3?api_key={}", "proj/3"),
        ("http://outline.roboflow.com/proj/3/?name=a.jpg&api_key={}", "proj/3"),
        ("classify.roboflow.com/proj/3?api_key={}", "proj/3"),
        ("https://serverless.roboflow.com/proj/3?api_key={}", "proj/3"),
        ("https://universe.roboflow.com/ws/proj/model/3?key={}", "proj/3"),
        ("https://app.roboflow.com/ws/proj/3#{}", "proj/3"),
        ("proj/3?api_key={}", "proj/3"),
        ("{}", None),
        ("https://example.com/?api_key={}", None),
        ("api_key={}", None),
        ("https://{}@detect.roboflow.com", None),
    ],
)
def test_a_key_typed_as_a_model(explorer, scripted, typed, model):
    request = explorer.panel.request
    type_in(request.typed_model, typed.format(KEY))
    if model:
        assert explorer.state.call.model == request.typed_model.value == model
    else:
        assert explorer.state.refused
        assert request.typed_model.value == ""
    explorer.state.run()
    assert len(scripted.received) == (model is not None)
    assert_hidden(explorer)


@pytest.mark.parametrize(
    "typed",
    [
        "{}",
        "api_key={}",
        "photo.jpg?api_key={}",
        "http://127.0.0.1:9/dog.jpg?api_key={}",
        "http://user:{}@127.0.0.1:9/dog.jpg",
        "http://127.0.0.1:9/dog.jpg#{}",
        "ftp://127.0.0.1/{}",
        "data:image/png;base64,{}",
    ],
)
def test_a_key_typed_as_an_image(explorer, typed):
    type_in(explorer.panel.picker.path, typed.format(KEY))
    assert explorer.state.problem
    assert_hidden(explorer)


def test_a_key_in_the_url_of_an_image(explorer, scripted):
    image = Response((IMAGES / "one.jpg").read_bytes(), headers={"content-type": "image/jpeg"})
    scripted.respond(image, response(*FOUND))
    type_in(explorer.panel.picker.path, f"{scripted.url}/dog.jpg?api_key={KEY}")
    assert explorer.state.source.title == "dog.jpg"
    assert scripted.received[0].query == {"api_key": KEY}
    explorer.state.run()
    assert explorer.state.problem is None
    assert_hidden(explorer)
    explorer.panel.results.tabs.selected_index = TABS.index("Code")
    assert "dog.jpg" in page(explorer.panel)


@pytest.mark.parametrize("typed", ["{} and more", "'{}", "{}\u200b{}", "{}é"])
def test_a_malformed_key(explorer, typed):
    type_in(explorer.panel.request.key, typed.replace("{}", KEY))
    assert explorer.panel.request.key.value == ""
    assert_hidden(explorer)


def test_a_key_in_the_arguments_of_explore(scripted):
    image = Response((IMAGES / "one.jpg").read_bytes(), headers={"content-type": "image/jpeg"})
    scripted.respond(image, response(*FOUND))
    explorer = explore(
        f"{scripted.url}/dog.jpg?api_key={KEY}",
        f"https://detect.roboflow.com/proj/3?api_key={KEY}",
        client=Client(base_url=scripted.url),
    )
    assert explorer.run().model == "proj/3"
    assert explorer.state.source.title == "dog.jpg"
    assert_hidden(explorer)


@pytest.mark.parametrize(
    "trouble",
    [
        Response(b'{"message": "key %s refused"}', 401),
        Response(b"<html>log in, %s</html>"),
        Response(b'{"predictions": "%s"}'),
        Response(b'{"predictions": [], "image": {"width": 9, "height": 9}, "debug": "%s"}'),
        Response(
            b'{"image": {"width": 99, "height": 99}, "predictions": [{"x": 9, "y": 9, "width": 9,'
            b' "height": 9, "confidence": 0.9, "class": "%s", "class_id": 1}]}'
        ),
    ],
)
def test_a_key_in_a_response(scripted, trouble):
    explorer = Explorer(explored(scripted, api_key=KEY).state)
    body = trouble.body % KEY.encode()
    scripted.respond(Response(body, trouble.status, trouble.headers))
    explorer.state.run()
    assert scripted.received[0].query["api_key"] == KEY
    assert explorer.state.problem or explorer.state.result is not None
    assert_hidden(explorer)
    if explorer.state.response:
        explorer.panel.results.tabs.selected_index = TABS.index("JSON")
        assert NOTHING_YET not in page(explorer.panel)
