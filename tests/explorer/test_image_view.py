"""The view of an image without a browser: what it sends, what it keeps, what it responds."""

from __future__ import annotations

import builtins
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from ipywidgets.embed import embed_data
from PIL import Image

from rfhosted import Task
from rfhosted.display.palette import PALETTE, colour
from rfhosted.explorer import image_view as module
from rfhosted.explorer.image_view import MOST_LIVE, ImageView, image_view
from rfhosted.explorer.settings import Display
from rfhosted.images.sources import load
from rfhosted.outputs.values import KeyPoint, Polygon
from support.drawing import ring
from support.predictions import class_map, objects, prediction, ranking, thing


@pytest.fixture
def view():
    made = image_view(300)
    made.sent = []
    made.widget.send = lambda content, buffers=(): made.sent.append((content, list(buffers)))
    return made


def message(view, **content):
    """A message as the browser sends it; what is sent back."""
    before = len(view.sent)
    view.widget._handle_custom_msg(content, [])
    return view.sent[before:]


def opened(data):
    return Image.open(io.BytesIO(data))


PHOTO = load(Image.new("RGB", (2000, 1000), (90, 90, 90)))
THREE = (thing("dog", (0, 0, 900, 600), 0.9), thing("cat", (10, 10, 60, 60), 0.5), thing("dog"))


def three(**fields):
    return objects(*THREE, source_image=PHOTO, confidence=0.0, **fields)


def test_without_anywidget_there_is_no_view(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "anywidget":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    module._widget_class.cache_clear()
    assert image_view(300) is None


def test_one_message_has_the_photo_and_the_objects(view):
    view.show(three(), Display(confidence=0.6))
    ((content, (photo,)),) = view.sent
    assert (content["size"], content["frame"]) == ((2000, 1000), (0, 0, 2000, 1000))
    assert content["full_width"] == 2000
    assert opened(photo).size == (1280, 640)
    assert len(photo) <= module.VIEW_BYTES
    first, second, third = content["objects"]
    assert [item["id"] for item in (first, second, third)] == [0, 1, 2]  # the largest first
    assert (second["name"], second["box"], second["confidence"]) == ("cat", [10, 10, 60, 60], 0.5)
    assert second["colour"] == "#{:02x}{:02x}{:02x}".format(*colour("cat"))
    assert "2 objects" in content["alt"]  # of three, one is under the threshold


def test_only_what_changed_is_sent(view):
    result = three()
    view.show(result, Display(confidence=0.6))
    view.show(result, Display(confidence=0.6))
    assert len(view.sent) == 1
    view.show(result, Display(confidence=0.3))
    content, buffers = view.sent[-1]
    assert content["confidence"] == 0.3
    assert "objects" not in content
    assert buffers == []
    assert len(json.dumps(content)) < 1000
    view.show(result, Display(confidence=0.3, classes=frozenset({"cat"})))
    content, buffers = view.sent[-1]
    assert [item["id"] for item in content["objects"]] == [1]
    assert buffers == []
    view.show(three(), Display(confidence=0.3))  # another result for the same image
    assert view.sent[-1][1] == []
    view.show(objects(thing()), Display())
    assert len(view.sent[-1][1]) == 1


def test_ids_are_those_of_the_rows(view):
    result = three()
    for display in (
        Display(confidence=0.6),
        Display(confidence=0),
        Display(confidence=0, classes=frozenset({"dog"})),
    ):
        view.show(result, display)
        rows = display.of(result).rows()
        assert [result.rows()[i] for i in view.ids] == rows
    view.clear()
    assert view.ids == []


def test_another_result_ends_the_selection(view):
    result = three()
    view.show(result, Display())
    view.widget.selected, view.widget.hovered = [1], 1
    view.show(result, Display(confidence=0.2))
    assert view.widget.selected == [1]
    view.show(three(), Display(confidence=0.2))
    assert (view.widget.selected, view.widget.hovered) == ([], None)


def test_what_is_drawn_is_what_the_prediction_draws(view):
    result, display = three(), Display(confidence=0.6, labels=False)
    view.show(result, display)
    ((content, (drawn,)),) = message(view, kind="draw", version=1, full=False)
    assert content == {"kind": "drawn", "version": 1}
    expected = result.filter(confidence=0.6).draw(max_side=1280, labels=False)
    difference = np.asarray(opened(drawn)).astype(int) - np.asarray(expected)
    assert np.abs(difference).mean() < 2
    ((_, (full,)),) = message(view, kind="draw", version=1, full=True)
    assert opened(full).size == (2000, 1000)
    ((content, (full,)),) = message(view, kind="download")
    assert content["name"] == "image-object-detection.jpg"
    assert opened(full).size == (2000, 1000)


def test_the_drawn_image_is_as_large_as_its_place(view):
    view.show(three(), Display())
    ((_, (drawn,)),) = message(view, kind="draw", version=1, full=False, side=600)
    assert opened(drawn).size == (600, 300)
    ((_, (drawn,)),) = message(view, kind="draw", version=1, full=False, side=10**9)
    assert opened(drawn).size == (1280, 640)
    assert message(view, kind="resize", side="600") == message(view, kind="resize", side=600) == []
    view.show(ranking(("cat", 0.8), source_image=PHOTO), Display(confidence=0))
    content, (drawn,) = view.sent[-1]
    assert opened(drawn).width == 600
    assert content["frame"][2] == pytest.approx(2000)
    ((content, (drawn,)),) = message(view, kind="resize", side=1)
    assert opened(drawn).width >= 240


def test_messages_that_do_not_fit_get_no_response(view):
    assert message(view, kind="ready") == []
    assert message(view, kind="download") == []
    view.show(three(), Display())
    assert message(view, kind="draw", version=7) == []
    assert message(view, kind="other") == []
    assert message(view) == []
    view.clear()
    assert message(view, kind="draw", version=1) == []


def test_a_browser_that_starts_gets_everything_again(view):
    result = three()
    view.show(result, Display())
    view.show(result, Display(confidence=0.7))
    ((content, buffers),) = message(view, kind="ready")
    assert content["confidence"] == 0.7
    assert len(content["objects"]) == 3
    assert len(buffers) == 1


def test_tasks_without_boxes_come_drawn(view):
    view.show(ranking(("cat", 0.8), ("dog", 0.2)), Display(confidence=0))
    ((content, (drawn,)),) = view.sent
    assert not content["live"]
    left, top, width, height = content["frame"]
    assert opened(drawn).size == (round(width), round(height))
    assert (left, top) == (-((width - 100) // 2), 0)  # a photo of 100 x 80 on top, in the middle
    assert height > 80
    view.show(class_map([[0, 1] * 50] * 80, {0: "sky", 1: "sea"}), Display())
    assert "semantic" in view.sent[-1][0]["alt"]


def test_a_photo_comes_with_the_first_task_that_has_boxes(view):
    view.show(ranking(("cat", 0.8), source_image=PHOTO), Display(confidence=0))
    assert [len(buffers) for _, buffers in view.sent] == [1]  # the drawn image
    view.show(three(), Display())
    content, buffers = view.sent[-1]
    assert (content["photo"], len(buffers)) == (True, 1)
    view.show(ranking(("cat", 0.8), source_image=PHOTO), Display(confidence=0))
    view.show(three(), Display())
    content, buffers = view.sent[-1]
    assert (content["photo"], len(buffers)) == (False, 0)


def test_an_image_without_a_result(view):
    view.show(three(), Display())
    view.widget.selected = [1]
    view.show_photo(PHOTO, alt="grey", name="grey")
    content, (photo,) = view.sent[-1]
    assert (content["live"], content["objects"], content["alt"]) == (False, [], "grey")
    assert (content["size"], content["frame"]) == ((2000, 1000), (0, 0, 2000, 1000))
    assert opened(photo).size == (1280, 640)
    assert (view.widget.selected, view.ids) == ([], [])
    view.show_photo(PHOTO, alt="grey", name="grey")
    assert len(view.sent) == 2
    ((content, (full,)),) = message(view, kind="draw", version=2, full=True)
    assert opened(full).size == (2000, 1000)
    ((content, _),) = message(view, kind="download")
    assert content["name"] == "grey.jpg"
    ((content, (again,)),) = message(view, kind="ready")
    assert (content["kind"], again) == ("show", photo)
    view.show(three(), Display())
    assert view.sent[-1][0]["live"]
    assert view.ids == [0, 1, 2]


def test_objects_without_a_confidence_are_shown_at_any_threshold(view, monkeypatch):
    unsure = thing("unsure", confidence=None)
    result = objects(unsure, *THREE, source_image=PHOTO, confidence=0.1)
    monkeypatch.setattr(type(result), "filter", lambda self, **_: self)
    view.show(result, Display(confidence=0.95))
    sent = {item["id"]: item for item in view.sent[-1][0]["objects"]}
    assert (sent[0]["confidence"], sent[0]["score"]) == (None, "")
    assert view.ids == [0]


def test_masks_and_keypoints(view):
    triangle = Polygon(np.array([(0, 0), (80, 0), (80, 60)], np.float32))
    holed = thing("ring", (20, 20, 80, 80), mask=ring())
    result = objects(
        thing(mask=triangle),
        holed,
        task=Task.INSTANCE_SEGMENTATION,
        source_image=load(Image.new("RGB", (100, 100))),
    )
    view.show(result, Display())
    masked = {item["name"]: item["mask"] for item in view.sent[-1][0]["objects"]}
    assert masked["dog"].count("M") == 1
    assert masked["ring"].count("M") == 2
    assert view.sent[-1][0]["layers"] == ["boxes", "masks"]
    points = (KeyPoint(5, 6, 0.9, 0, "nose"), KeyPoint(7, 8, 0.1, 1, "left_eye"))
    result = objects(thing("person", key_points=points), task=Task.KEYPOINT_DETECTION)
    view.show(result, Display(keypoint_confidence=0.5))
    (item,) = view.sent[-1][0]["objects"]
    assert item["points"] == [(5, 6)]


def test_a_crowd_is_bounded(view):
    many = tuple(
        thing(f"class {i % 50}", (i % 90, 0, i % 90 + 9, 9), (i % 997) / 997) for i in range(4000)
    )
    view.show(objects(*many, confidence=0.0), Display(confidence=0))
    sent = view.sent[-1][0]["objects"]
    assert len(sent) == MOST_LIVE
    assert min(item["confidence"] for item in sent) > 0.7
    assert len(json.dumps(view.sent[-1][0])) < 250_000
    assert {item["colour"] for item in sent} <= {
        "#{:02x}{:02x}{:02x}".format(*shade) for shade in PALETTE
    }


def test_names_are_short_and_have_no_control_characters(view):
    view.show(objects(thing("a\x1b[31m" + "b" * 500)), Display())
    (item,) = view.sent[-1][0]["objects"]
    assert len(item["name"]) <= 40
    assert item["name"].isprintable()


def test_no_image_is_in_what_a_notebook_saves():
    view = image_view(300)
    view.show(three(), Display())
    saved = embed_data([view.widget], drop_defaults=False)["manager_state"]["state"]
    state = saved[view.widget.model_id]["state"]
    assert state["height"] == 300
    own = {name for name in state if not name.startswith("_")}
    assert own == {
        *("height", "confidence", "follows", "hovered", "selected", "mode", "clicked", "boxed"),
        *("marks", "layout", "tabbable", "tooltip"),
    }
    assert len(json.dumps(state)) < 32_000


def test_the_browser_sets_no_text_as_markup():
    script = (module.Path(module.__file__).with_suffix(".js")).read_text("utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script
    assert "http" not in script.replace("http://www.w3.org/2000/svg", "")


def test_events_arrive_though_they_are_equal():
    view = image_view(300)
    seen = []
    view.widget.observe(lambda change: seen.append(change.new), "clicked")
    for count in (1, 2):
        click = {"x": 5.5, "y": 6.0, "shift": False, "count": count}
        view.widget.set_state({"clicked": click})
    assert [click["count"] for click in seen] == [1, 2]


def test_the_view_needs_no_widget_of_its_own():
    sent = []
    stand_in = SimpleNamespace(
        on_msg=lambda handler: None, send=lambda *message: sent.append(message)
    )
    view = ImageView(stand_in)
    view.show(prediction(objects=THREE, unfiltered=THREE), Display())
    assert stand_in.selected == []
    assert len(sent) == 1
