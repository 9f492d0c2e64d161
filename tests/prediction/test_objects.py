"""Predictions of objects: what a filter leaves, and what it does not change."""

from __future__ import annotations

import numpy as np
import pytest

from rfhosted import Task
from rfhosted.hosted import COCO_KEY_POINTS
from rfhosted.outputs.values import KeyPoint
from support.predictions import objects, thing


def person(*points):
    key_points = tuple(KeyPoint(x, 5, confidence, i, n) for n, i, x, confidence in points)
    return thing("person", (0, 0, 50, 50), key_points=key_points)


def test_a_filter_of_keypoints_keeps_the_size_of_the_skeleton():
    p = objects(person(("tip", 0, 10, 0.9), ("base", 6, 20, 0.3)), task=Task.KEYPOINT_DETECTION)
    assert p.skeleton_size == 7
    sure = p.filter(keypoint_confidence=0.5)
    assert [len(item.key_points) for item in sure.objects] == [1]
    assert sure.key_points.xy.shape == p.key_points.xy.shape == (1, 7, 2)
    assert sure.key_points.xy[0, 6].tolist() == [0, 0]
    assert p.filter(classes="dog").skeleton_size == 7


def test_a_skeleton_of_cocos_names_is_cocos():
    p = objects(person(("nose", 0, 10, 0.9)), task=Task.KEYPOINT_DETECTION)
    assert p.skeleton_size == len(COCO_KEY_POINTS)
    assert objects(task=Task.KEYPOINT_DETECTION).key_points.xy.shape == (0, 17, 2)


def test_a_filter_says_what_it_left_out():
    p = objects(thing("dog", confidence=0.9), thing("cat", confidence=0.5))
    assert p.filter(classes="bird").summary().endswith("only 1 dog, 1 cat")
    assert p.filter(confidence=0.8, classes="bird").summary().endswith("only 1 dog")
    assert "lower confidence" in p.filter(confidence=0.95).summary()


def test_a_class_is_found_by_its_name_as_the_response_spells_it():
    p = objects(thing("café bar"))
    assert len(p.filter(classes=["cafe\u0301  bar\n"]).objects) == 1


def test_boxes_of_nothing_have_their_shapes():
    p = objects(task=Task.INSTANCE_SEGMENTATION)
    assert p.detections.xyxy.shape == (0, 4)
    assert p.detections.mask.shape == (0, 80, 100)
    assert p.to_pandas()["confidence"].dtype == np.float64


@pytest.mark.parametrize("classes", [5, [1], [None], ["dog", b"cat"]])
def test_classes_are_names(classes):
    with pytest.raises(TypeError):
        objects(thing()).filter(classes=classes)
