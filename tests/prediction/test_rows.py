"""What is in a prediction, as rows, as a DataFrame, and as the classes that the model knows."""

from __future__ import annotations

import numpy as np
import pytest

import rfhosted
from rfhosted import ApiVersion, Task
from rfhosted.hosted import IMAGE_TASKS
from rfhosted.outputs.values import ClassMap, ClassScore, KeyPoint, Polygon, Ranking, Rle
from rfhosted.prediction import prediction_of
from support.predictions import class_map, objects, prediction, ranking, thing

SQUARE = Polygon(np.array([(10, 20), (29, 20), (29, 39), (10, 39)], np.float32))


def mask(bits) -> Rle:
    """COCO run lengths of a bitmap: by columns, background first."""
    flat = np.asarray(bits, bool).T.ravel()
    ends = [*np.flatnonzero(np.diff(flat)) + 1, flat.size]
    counts = np.diff([0, *ends])
    counts = counts if not flat[0] else np.concatenate(([0], counts))
    return Rle(np.asarray(bits).shape, counts.astype(np.int32))


def person(*points):
    return thing("person", key_points=points)


@pytest.mark.parametrize("task", IMAGE_TASKS)
@pytest.mark.parametrize("sample", ["cat", "camera"])
def test_len_and_iteration_are_those_of_the_rows(task, sample):
    p = rfhosted.predict(rfhosted.sample(sample), task=task)
    assert len(p) == len(p.rows()) == len(list(p))
    assert list(p.filter(confidence=1)) == p.filter(confidence=1).rows()
    assert p.filter(classes=["nothing of this name"])  # a result, not None
    assert len(p.filter(classes=["nothing of this name"])) == 0


@pytest.mark.parametrize("task", IMAGE_TASKS)
@pytest.mark.parametrize("version", ApiVersion)
def test_a_data_frame_of_nothing_has_the_same_columns_and_types(task, version):
    some = rfhosted.predict(rfhosted.sample("camera"), task=task, api_version=version)
    none = some.filter(classes=["nothing of this name"]).to_pandas()
    assert len(some.to_pandas()) > 0
    assert len(none) == 0
    assert list(none.dtypes.items()) == list(some.to_pandas().dtypes.items())


@pytest.mark.parametrize("scale", [1, 2, 0.5, 0.37])
def test_the_area_is_that_of_the_mask_that_supervision_gets(scale):
    rng = np.random.default_rng(0)
    shape = (round(80 * scale), round(100 * scale))
    found = [thing(mask=mask(rng.random(shape) < part)) for part in (0.01, 0.5, 1)]
    p = objects(*found, thing(mask=SQUARE), task=Task.INSTANCE_SEGMENTATION)
    areas = [int(bits.sum()) for bits in p.detections.mask]
    assert [row["area"] for row in p] == areas
    assert [row["share"] for row in p] == [area / 8000 for area in areas]
    assert areas[2:] == [8000, 400]


def test_the_polygon_is_in_pixels_of_the_original():
    bits = np.zeros((40, 50), bool)
    bits[10:20, 5:15] = True
    bits[30, 40] = True  # a smaller part
    large = objects(thing(mask=mask(bits)), thing(mask=SQUARE), task=Task.INSTANCE_SEGMENTATION)
    of_run_lengths, of_corners = (np.array(row["polygon"]) for row in large)
    assert of_run_lengths.min(axis=0).tolist() == [10.5, 20.5]  # centres of pixels twice as large
    assert of_run_lengths.max(axis=0).tolist() == [28.5, 38.5]
    assert of_corners.tolist() == SQUARE.points.tolist()


@pytest.mark.parametrize("empty", [None, mask(np.zeros((8, 8)))])
def test_an_object_without_a_mask_has_no_area(empty):
    (row,) = objects(thing(mask=empty), task=Task.INSTANCE_SEGMENTATION)
    assert (row["area"], row["share"], row["polygon"]) == (0, 0.0, [])


def test_the_table_of_masks_has_no_lists_of_corners():
    p = objects(thing(mask=SQUARE), task=Task.INSTANCE_SEGMENTATION)
    assert "polygon" in p.to_pandas()
    assert "polygon" not in p._repr_html_()
    assert "area" in p._repr_html_()


def test_keypoints_are_flat_columns():
    nose = KeyPoint(1, 2, 0.75, 0, "nose")
    frame = objects(person(nose), person(), task=Task.KEYPOINT_DETECTION).to_pandas()
    assert list(frame.columns[7:10]) == ["nose_x", "nose_y", "nose_confidence"]
    assert len(frame.columns) == 7 + 3 * 17
    assert frame.loc[0, "nose_x":"nose_confidence"].tolist() == [1, 2, 0.75]
    assert frame.loc[1].isna().sum() == 3 * 17


def test_keypoints_of_another_skeleton_are_columns_too():
    tail = KeyPoint(1, 2, 0.75, 2, "tail")
    p = objects(person(tail), task=Task.KEYPOINT_DETECTION)
    names = [*p.to_pandas().columns[7::3]]
    assert names == ["tail_x"]  # no columns for slots that no object uses
    assert [*p.filter(confidence=1).to_pandas().columns[7::3]] == names
    assert p.skeleton_size == 3


def test_class_confidences_that_are_not_reported_are_numbers_still():
    frame = class_map([[0, 1]], {0: "background", 1: "road"}).to_pandas()
    assert frame["confidence"].dtype == float
    assert frame["confidence"].isna().all()


def shared(p):
    own = ("segmentation", "scores", "predicted_classes", "multi_label", "similarity", "classes")
    return {name: value for name, value in vars(p).items() if name not in own}


def test_the_classes_that_a_model_knows():
    names = {2: "road", 0: "background", 1: "sky"}
    known = ClassMap(np.zeros((2, 2), np.uint8), None, names, 0)
    p = prediction_of(Task.SEMANTIC_SEGMENTATION, known, shared(class_map([[0]], names)))
    assert p.classes == ("background", "sky", "road")
    assert p.filter(classes=["sky"]).classes == p.classes
    scores = (ClassScore("dog", 1, 0.9), ClassScore("cat", 0, 0.1))
    fields = shared(ranking(("dog", 0.9)))
    several = prediction_of(Task.CLASSIFICATION, Ranking(scores, ("dog",)), fields)
    assert several.filter(confidence=0.5).classes == ("cat", "dog")
    one = prediction_of(Task.CLASSIFICATION, Ranking(scores, None), fields)
    assert one.classes is None  # the server leaves out the least likely
    assert prediction(objects=(), unfiltered=()).classes is None


@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_an_empty_result_says_whether_a_lower_confidence_helps(task):
    p = rfhosted.predict(rfhosted.sample("camera"), task=task)
    assert "classes" in p.filter(classes=["nothing of this name"]).summary()
    assert "lower" not in p.filter(classes=["nothing of this name"]).summary()
    assert "lower confidence" in p.filter(confidence=1).summary()
    assert p.filter(classes=["person"]).filter(classes=["dog"]).class_filter == frozenset()
