"""Text recognition, against recordings of the real server software."""

from __future__ import annotations

import json

import pytest

from rfhosted.endpoints import ocr
from rfhosted.endpoints.prompted import Scale
from rfhosted.errors import UnexpectedAnswerError
from rfhosted.hosted import PROMPTED_MODELS, Task
from support.recordings import RECORDINGS

SIZE = (400, 180)
WORDS = ["MIND", "THE", "GAP", "platform", "42"]
RECORDED = {
    "pp-ocr": ("pp-ocr", WORDS),
    "pp-ocr-detection-only": ("pp-ocr", ["text"] * 5),
    "easy-ocr": ("easy-ocr", WORDS),
    "doctr-boxes": ("doctr", ["MIND THE GAP", "platform 42"]),
    "doctr-text-only": ("doctr", []),
    "trocr": ("trocr", []),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_texts(name):
    model, names = RECORDED[name]
    data = json.loads((RECORDINGS / f"prompted/ocr/{name}.json").read_text())
    sent, received = data["request"]["body"]["json"], json.loads(data["response"]["body_text"])
    call = ocr.call(model)
    assert call.family in PROMPTED_MODELS
    assert call.path == data["request"]["target"]
    (body,) = call.bodies(sent["image"], Scale(SIZE, SIZE))
    boxes = {"generate_bounding_boxes": True} if model == "doctr" else {}
    assert body == {"image": sent["image"]} | boxes
    parsed = call.read([received], Scale((800, 360), SIZE))
    assert parsed.task is Task.TEXT
    assert parsed.output.text == received["result"]
    assert [item.class_name for item in parsed.output.detections] == names
    for item in parsed.output.detections[:1]:
        assert item.box[:2] == (48, 60)


def test_no_text_is_empty():
    raw = {"result": "", "image": {"width": 400, "height": 180}, "predictions": []}
    output = ocr.call().read([raw], Scale(SIZE, SIZE)).output
    assert (output.text, output.detections) == ("", ())


def test_the_lines_of_doctr_have_no_text_where_their_number_differs():
    boxes = [
        {"x": 9, "y": 9, "width": 4, "height": 4, "confidence": 1, "class": level, "class_id": 1}
        for level in ("word", "line", "block")
    ]
    raw = {"result": "two\nlines", "predictions": boxes}
    output = ocr.call("doctr").read([raw], Scale(SIZE, SIZE)).output
    assert [item.class_name for item in output.detections] == ["line"]


def test_another_model_is_refused_and_the_nearest_is_named():
    with pytest.raises(ValueError, match="easy-ocr"):
        ocr.call("easyocr")


@pytest.mark.parametrize(
    "raw", [None, [], {}, {"result": 3}, {"result": "a", "predictions": "no"}, [{}, {}]]
)
def test_broken_responses_are_one_kind_of_error(raw):
    with pytest.raises(UnexpectedAnswerError):
        ocr.call().read([raw], Scale(SIZE, SIZE))
