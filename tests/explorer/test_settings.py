"""Names of images, and what a display leaves of a prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rfhosted import Task
from rfhosted.explorer.settings import Display, Source, reference
from support.predictions import class_map, objects, thing


@pytest.mark.parametrize(
    ("image", "name", "kind"),
    [
        ("photos/dog.jpg", "photos/dog.jpg", "file"),
        (Path("dog.jpg"), "dog.jpg", "file"),
        ("https://example.com/a/dog.jpg", "https://example.com/a/dog.jpg", "file"),
        ("https://example.com/a/dog.jpg?api_key=1", "dog.jpg", "upload"),
        ("https://user:secret@example.com/dog.jpg", "dog.jpg", "upload"),
        ("HTTPS://example.com/dog.jpg#secret", "dog.jpg", "upload"),
        ("https://example.com/?api_key=1", "image.png", "upload"),
        ("data:image/png;base64,AAAA", "image.png", "upload"),
        (b"bytes", "image.png", "upload"),
        (np.zeros((2, 2, 3), np.uint8), "image.png", "pixels"),
    ],
)
def test_the_name_of_an_image(image, name, kind):
    assert reference(image) == (name, kind)


@pytest.mark.parametrize(
    ("name", "title"),
    [("dog.jpg", "dog.jpg"), ("a/b/dog.jpg", "dog.jpg"), (r"C:\photos\dog.jpg", "dog.jpg")],
)
def test_the_title_is_the_last_part(name, title):
    assert Source(None, name, "file").title == title


def test_a_display_filters_only_what_the_prediction_has():
    display = Display(confidence=0.5, classes=frozenset({"dog", "cat"}), keypoint_confidence=0.2)
    boxes = objects(thing(), thing("cat", confidence=0.4))
    assert display.filters(boxes) == {
        "confidence": 0.5,
        "classes": ["cat", "dog"],
        "keypoint_confidence": None,
    }
    assert [row["class_name"] for row in display.of(boxes).rows()] == ["dog"]
    people = objects(thing("person"), task=Task.KEYPOINT_DETECTION)
    assert display.filters(people)["keypoint_confidence"] == 0.2
    unsure = class_map([[0, 1]], {0: "background", 1: "cat"}, size=(4, 2))
    assert display.filters(unsure)["confidence"] is None
