"""YOLO-World and Grounding DINO: requests, responses and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted import Client, errors, hosted
from rfhosted.endpoints import open_vocabulary
from rfhosted.endpoints.prompted import Scale
from rfhosted.hosted import Task
from support.recordings import prompted_image, prompted_recordings
from support.scripted import Response

RECORDED = {r.name: r for r in prompted_recordings("yolo-world", "grounding-dino")}
NAMES = ["red block", "green block"]
SCALE = Scale((640, 480), (640, 480))
IMAGE = {"type": "base64", "value": "…"}


@pytest.mark.parametrize(
    ("names", "options", "error"),
    [
        ([], {}, ValueError),
        ("", {}, ValueError),
        (["a", ""], {}, ValueError),
        (["a", 3], {}, TypeError),
        (["a"], {"confidence": 5}, ValueError),
        (["a"], {"model": "yolo-world/v9"}, ValueError),
        (["a"], {"model": "sam3"}, ValueError),
        (["a"], {"model": 3}, TypeError),
    ],
)
def test_what_makes_no_sense_is_refused(names, options, error) -> None:
    with pytest.raises(error):
        open_vocabulary.call(names, **options)


def answered(scripted, recording, call):
    scripted.respond(Response(recording.body, recording.status, recording.headers))
    image = prompted_image(recording.request["body"]["image_file"])
    return Client(api_key="key", base_url=scripted.url, retries=0).run(call, image)


@pytest.mark.parametrize("name", [n for n, r in RECORDED.items() if r.status == 200])
def test_recorded_requests_and_responses(scripted, name) -> None:
    recording = RECORDED[name]
    expected = recording.request["body"]["json"]
    confidence = expected.get("confidence", expected.get("box_threshold"))
    model = name.split("/")[0]
    if version := expected.get("yolo_world_version_id"):
        model += f"/{version}"
    call = open_vocabulary.call(expected["text"], model=model, confidence=confidence)
    assert call.family in hosted.PROMPTED_MODELS
    assert call.path == recording.request["path"]
    (body,) = call.bodies(IMAGE, SCALE)
    assert body | (expected | {"image": IMAGE}) == body
    prediction = answered(scripted, recording, call)
    found = recording.json["predictions"]
    assert prediction.task is Task.OBJECT_DETECTION
    assert [item.class_name for item in prediction.objects] == [item["class"] for item in found]
    assert [item.class_id for item in prediction.objects] == [item["class_id"] for item in found]
    assert prediction.timing.exec == recording.json["time"]
    for item, raw in zip(prediction.objects, found, strict=True):
        x0, y0, x1, y1 = item.box
        centre = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
        assert centre == pytest.approx([raw[side] for side in ("x", "y", "width", "height")])


@pytest.mark.parametrize("name", [n for n, r in RECORDED.items() if r.status != 200])
def test_recorded_failures(scripted, name) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        answered(scripted, RECORDED[name], open_vocabulary.call("a"))
    assert caught.value.status == RECORDED[name].status == 422
    assert len(str(caught.value)) < 500  # without the image that the response repeats


def test_defaults() -> None:
    call = open_vocabulary.call("dog")
    assert call.model == "yolo-world/v2-s"
    assert call.bodies(IMAGE, SCALE) == [
        {"image": IMAGE, "text": ["dog"], "confidence": 0.05, "yolo_world_version_id": "v2-s"}
    ]
    call = open_vocabulary.call("dog", model="grounding-dino")
    assert call.bodies(IMAGE, SCALE)[0]["box_threshold"] == call.confidence == 0.5
    call.check((10, 10))


def test_nothing_found_says_what_to_do() -> None:
    parsed = open_vocabulary.call("dog").read([{"predictions": [], "time": 0.1}], SCALE)
    assert parsed.output == ()
    assert "confidence" in parsed.notes[0]


@pytest.mark.parametrize(
    "raw", [None, {}, [], {"predictions": None}, {"predictions": [3]}, {"message": "busy"}]
)
def test_a_response_that_cannot_be_read_is_kept(raw) -> None:
    with pytest.raises(errors.UnexpectedAnswerError) as caught:
        open_vocabulary.call("dog").read([raw], SCALE)
    assert caught.value.raw is raw


sides = st.integers(8, 4000)
sizes = st.tuples(sides, sides)


@settings(deadline=None)  # no test depends on the time it takes
@given(sizes, sizes, st.lists(st.floats(0.1, 0.9), min_size=4, max_size=4))
def test_boxes_come_back_in_pixels_of_the_original(original, sent, place) -> None:
    x, y, width, height = (part * side for part, side in zip(place, sent * 2, strict=True))
    item = {"x": x, "y": y, "width": width, "height": height, "confidence": 0.5, "class": "b"}
    call = open_vocabulary.call(["a", "b"])
    raw = {"predictions": [item], "image": {"width": sent[0], "height": sent[1]}}
    (found,) = call.read([raw], Scale(original, sent)).output
    assert found.class_id == 1  # the place of the name, though the response has none
    x0, y0, x1, y1 = found.box
    centre = [(x0 + x1) / 2 / original[0], (y0 + y1) / 2 / original[1]]
    extent = [(x1 - x0) / original[0], (y1 - y0) / original[1]]
    assert centre + extent == pytest.approx(place, rel=1e-6)
