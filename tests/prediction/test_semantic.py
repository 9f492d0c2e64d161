"""Class maps: shares, masks on the image's grid, and filters."""

from __future__ import annotations

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from rfhosted.outputs import masks
from rfhosted.outputs.values import ClassMap
from support.predictions import class_map, prediction

NAMES = {0: "background", 1: "road", 2: "car"}


def with_confidence(ids, confidence, **fields):
    segmentation = ClassMap(np.array(ids, np.uint8), np.array(confidence, np.uint8), NAMES, 0)
    return prediction("semantic-segmentation", segmentation=segmentation, **fields)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 999),
    dense=st.booleans(),
)
def test_masks_are_the_class_ids_of_the_image(shape, size, seed, dense):
    ids = np.random.default_rng(seed).integers(0, 3, shape)
    p = class_map(ids, NAMES, size=size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks, "_DENSE_LIMIT", 64_000_000 if dense else 0)
        found = p.detections
    whole = np.array([found.mask[i] for i in range(len(found))]).reshape(-1, *size[::-1])
    for mask, class_id in zip(whole, found.class_id, strict=True):
        assert np.array_equal(mask, p.class_ids == class_id)
    assert np.array_equal(found.xyxy, sv.mask_to_xyxy(whole).reshape(-1, 4))


def test_shares_and_confidences_are_those_of_the_pixels(monkeypatch):
    monkeypatch.setattr("rfhosted.prediction.semantic._BLOCK", 3)  # more blocks than one
    p = with_confidence([[1, 1, 1], [2, 0, 1]], [[255, 255, 51], [102, 0, 255]])
    assert [(row["class_name"], row["share"]) for row in p.rows()] == [
        ("road", pytest.approx(4 / 6)),
        ("car", pytest.approx(1 / 6)),
    ]
    assert [row["confidence"] for row in p.rows()] == pytest.approx([0.8, 0.4])
    assert p.filter(confidence=0.5).rows()[0]["share"] == pytest.approx(3 / 6)


def test_a_threshold_needs_confidences():
    p = class_map([[1, 2]], NAMES)
    assert not p.has_confidences
    filtered = p.filter(confidence=0.9).filter(confidence=0.95)
    assert filtered.rows() == p.rows()
    assert filtered.confidence == p.confidence
    assert len(filtered.notes) == len(p.notes) + 1
    assert p.detections.confidence is None


def test_what_is_filtered_out_is_of_no_class():
    p = class_map([[255, 1]], {255: "road", 1: "car"}, background=None)
    assert [row["class_name"] for row in p.filter(classes=["car"]).rows()] == ["car"]


def test_nothing_but_background_has_its_shapes():
    p = class_map([[0]], NAMES)
    assert p.detections.xyxy.shape == (0, 4)
    assert p.detections.mask.shape == (0, 80, 100)
    assert list(p.to_pandas().columns) == ["class_name", "class_id", "confidence", "share"]
