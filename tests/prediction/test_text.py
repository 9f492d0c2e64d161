"""Texts, objects without confidences, and cosine similarities."""

from __future__ import annotations

import math

import pytest
from PIL import Image

import rfhosted
from rfhosted.explorer.settings import Display
from rfhosted.hosted import ApiVersion, Task
from rfhosted.images import sources
from rfhosted.images.upload import Upload
from rfhosted.outputs.values import ClassScore, Detection, Ranking, Text
from rfhosted.prediction import TextPrediction, Timing, prediction_of

LINES = (
    Detection("MIND THE GAP", 0, 0.9, (10, 10, 60, 20)),
    Detection("platform 42", 1, 0.5, (10, 30, 60, 40)),
)
UNSURE = (Detection("dog", 0, None, (1, 2, 30, 40)), Detection("cat", 1, None, (50, 2, 70, 40)))


def made(task, output, confidence=0.0):
    image = sources.load(Image.new("RGB", (100, 60), "grey"))
    shared = {
        "source_image": image,
        "task": task,
        "model": "florence-2-base",
        "api_version": ApiVersion.V2,
        "raw": {},
        "upload": Upload(image.size, 1, "JPEG", 90, None),
        "timing": Timing(prepare=0.0, e2e=0.1, exec=None, parse=0.0),
        "confidence": confidence,
        "host": "local",
    }
    return prediction_of(task, output, shared)


def test_a_text_with_lines_has_a_row_for_each():
    p = made(Task.TEXT, Text("MIND THE GAP\nplatform 42", LINES))
    assert isinstance(p, rfhosted.TextPrediction)
    assert [row["text"] for row in p.rows()] == ["MIND THE GAP", "platform 42"]
    assert list(p.detections.data["class_name"]) == ["MIND THE GAP", "platform 42"]
    assert p.filter(confidence=0.6).objects == LINES[:1]
    assert p.filter(classes=["platform 42"]).objects == LINES[1:]
    assert len(p.to_pandas()) == len(p) == 2
    assert p.draw().tobytes() != p.image.tobytes()


def test_a_text_without_boxes_is_one_row(tmp_path):
    p = made(Task.TEXT, Text("<b>5</b> blocks"))
    assert len(p.detections) == 0
    assert [row["text"] for row in p.rows()] == ["<b>5</b> blocks"]
    assert list(p.to_pandas()["text"]) == ["<b>5</b> blocks"]
    assert "&lt;b&gt;5&lt;/b&gt; blocks" in p.html()
    assert "<b>5" not in p.html()
    assert p.draw().tobytes() == p.image.tobytes()
    assert p.save(tmp_path / "text.png").exists()
    assert p.filter(classes=["other"]).text == p.text
    with pytest.raises(ValueError, match="confidence"):
        p.filter(confidence=0.5)


def test_both_kinds_of_rows_have_the_same_columns():
    kinds = [Text("a"), Text("a", LINES), Text("")]
    columns = {tuple(made(Task.TEXT, kind).to_pandas().columns) for kind in kinds}
    assert len(columns) == 1


def test_no_text_is_a_prediction_too():
    p = made(Task.TEXT, Text(""))
    assert p.text == ""
    assert (len(p), p.rows()) == (0, [])
    assert len(p.to_pandas()) == 0
    assert p.html()
    assert repr(p)


def test_a_long_text_is_whole_in_a_terminal():
    text = "word " * 100 + "end"
    p = made(Task.TEXT, Text(text))
    assert isinstance(p, TextPrediction)
    assert text in repr(p)


def test_objects_without_confidences():
    p = made(Task.OBJECT_DETECTION, UNSURE)
    assert not p.has_confidences
    assert p.detections.confidence is None
    assert [row["confidence"] for row in p.rows()] == [None, None]
    assert p.to_pandas()["confidence"].isna().all()
    assert p.draw().tobytes() != p.image.tobytes()
    assert "%" not in repr(p)
    assert p.filter(classes=["dog"]).objects == UNSURE[:1]
    with pytest.raises(ValueError, match="no confidences"):
        p.filter(confidence=0.3)
    with pytest.raises(ValueError, match="fraction"):
        p.filter(confidence=30)


def test_objects_without_confidences_are_compared_and_displayed():
    p = made(Task.OBJECT_DETECTION, UNSURE)
    sure = tuple(Detection(d.class_name, d.class_id, 0.8, d.box) for d in UNSURE)
    q = made(Task.OBJECT_DETECTION, sure, confidence=0.4)
    compared = rfhosted.compare(p, q)
    assert len(compared.both) == 2
    assert repr(compared)
    assert Display(confidence=0.9).of(p).objects == UNSURE
    assert Display(confidence=0.9, classes=frozenset(["cat"])).of(p).objects == UNSURE[1:]


def test_turned_boxes_are_in_the_data_of_supervision():
    corners = ((1.0, 2.0), (9.0, 3.0), (8.0, 7.0), (0.0, 6.0))
    p = made(Task.OBJECT_DETECTION, (Detection("a", 0, None, (0, 2, 9, 7), corners=corners),))
    assert p.detections.data["xyxyxyxy"].tolist() == [[list(corner) for corner in corners]]


def test_cosine_similarities_are_no_percentages():
    scores = (ClassScore("a dog", 1, 0.27), ClassScore("a cat", 0, -0.08))
    p = made(Task.CLASSIFICATION, Ranking(scores, None, similarity=True))
    assert p.ranked == [("a dog", 0.27), ("a cat", -0.08)]
    for shown in (p.summary(), repr(p), " ".join(p.caption())):
        assert "%" not in shown
    assert p.draw().height > p.image.height
    assert p.filter(classes=["a cat"]).ranked == [("a cat", -0.08)]
    assert p.filter(confidence=0.1).ranked == [("a dog", 0.27)]
    assert math.isclose(p.to_pandas()["confidence"].min(), -0.08)
    compared = rfhosted.compare(p, p.filter(classes=["a cat"]))
    assert compared.draw().size
