"""Precision and recall by threshold: matched once, against a plain reading of the definition."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from rfhosted import Task, compare, precision_recall_curve
from rfhosted.images.sources import load
from rfhosted.outputs import matching
from rfhosted.prediction.ground_truth import GroundTruth
from support.html_tree import Tree
from support.predictions import objects, ranking, thing

SQUARES = [(x, 0, x + 10, 10) for x in (0, 20, 40, 60)]


def truth(*found, size=(100, 80)):
    source = load(np.zeros((size[1], size[0], 3), np.uint8))
    return GroundTruth.of(source, tuple(found), raw=[])


def curve(labelled, found, *, confidence=0.05, **options):
    return precision_recall_curve(
        truth(*labelled), objects(*found, confidence=confidence), **options
    )


def numbers(point):
    return point.found, point.missed, point.invented


def test_each_threshold_has_its_counts():
    labelled = [thing("dog", box) for box in SQUARES]
    found = [
        thing("dog", SQUARES[0], 0.9),
        thing("cat", SQUARES[1], 0.8),  # of another class
        thing("dog", SQUARES[2], 0.6),
        thing("dog", SQUARES[2], 0.5),  # found already
        thing("dog", SQUARES[3], 0.5),
    ]
    c = curve(labelled, found)
    assert [(p.threshold, *numbers(p)) for p in c.points] == [
        (0.5, 3, 1, 2),
        (0.6, 2, 2, 1),
        (0.8, 1, 3, 1),
        (0.9, 1, 3, 0),
    ]
    assert numbers(c.at(0.55)) == numbers(c.at(0.6)) == (2, 2, 1)
    assert numbers(c.at(0.95)) == (0, 4, 0)
    assert c.at(0.95).precision is None
    assert c.at(0.6).precision == pytest.approx(2 / 3)
    assert c.at(0.6).recall == pytest.approx(2 / 4)
    assert c.at(0.6).f1 == pytest.approx(4 / 7)
    assert c.at(0.01).threshold == 0.05  # nothing is known below the request's
    assert c.rows()[0] == {
        "threshold": 0.5, "found": 3, "missed": 1, "invented": 2,
        "precision": 3 / 5, "recall": 3 / 4, "f1": 6 / 9,
    }  # fmt: skip


def test_a_surer_detection_takes_the_object_first():
    near = (0, 0, 10, 8)
    c = curve([thing(box=SQUARES[0])], [thing(box=near, confidence=0.9), thing(confidence=0.3)])
    assert [(p.threshold, *numbers(p)) for p in c.points] == [(0.3, 1, 0, 1), (0.9, 1, 0, 0)]
    exact = curve([thing(box=SQUARES[0])], [thing(box=near, confidence=0.9)], iou=0.9)
    assert numbers(exact.at(0.1)) == (0, 1, 1)


BOXES = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(
    lambda corner: (*corner, corner[0] + 12, corner[1] + 12)
)
THINGS = st.builds(
    lambda name, box, confidence: thing(name, box, confidence / 10),
    st.sampled_from(["dog", "cat"]),
    BOXES,
    st.integers(1, 10),
)


def plainly(labelled, found, threshold):
    """The counts at one threshold, with what is above it matched anew."""
    left, count = list(labelled), 0
    kept = sorted((f for f in found if f.confidence >= threshold), key=lambda f: -f.confidence)
    for item in kept:
        fits = [
            (overlap(item.box, other.box), i)
            for i, other in enumerate(left)
            if other.class_name == item.class_name
        ]
        best = max(fits, default=(0, 0), key=lambda fit: (fit[0], -fit[1]))
        if best[0] >= 0.5:
            del left[best[1]]
            count += 1
    return count, len(labelled) - count, len(kept) - count


def overlap(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (area - width * height)


@settings(deadline=None, max_examples=60)
@given(labelled=st.lists(THINGS, max_size=8), found=st.lists(THINGS, max_size=12))
def test_matching_once_is_matching_at_every_threshold(labelled, found):
    c = curve(labelled, found)
    for threshold in (0.05, 0.1, 0.35, 0.5, 0.7, 1.0):
        assert numbers(c.at(threshold)) == plainly(labelled, found, threshold)
    for low, high in pairwise(c.points):
        assert low.threshold < high.threshold
        assert low.found >= high.found
        assert low.invented >= high.invented


def test_many_detections_are_matched_in_blocks(monkeypatch):
    rng = random.Random(0)
    corners = [(rng.randrange(80), rng.randrange(60)) for _ in range(200)]
    labelled = [thing(box=(x, y, x + 9, y + 9)) for x, y in corners]
    found = [
        thing(box=(x + 1, y, x + 10, y + 9), confidence=rng.random())
        for x, y in rng.sample(corners, 150)
    ]
    at_once = matching.true_positives(labelled, found, 0.5)
    monkeypatch.setattr(matching, "_BLOCK", 7)
    assert matching.true_positives(labelled, found, 0.5) == at_once
    assert sum(at_once) > 100


def test_equal_boxes_match_even_without_an_area():
    point = thing(box=(5, 5, 5, 5))
    assert numbers(curve([point, thing()], [point]).at(0.4)) == (1, 1, 0)


def test_nothing_found_and_nothing_there():
    for labelled, found in (((), ()), ((thing(),), ()), ((), (thing(),))):
        c = curve(labelled, found)
        assert isinstance(c.plot(), Figure)
        assert "undefined" in repr(c)
        assert c._repr_html_()
    assert list(curve((), ()).to_pandas().columns)[:2] == ["threshold", "found"]


def test_the_plot_marks_the_threshold():
    labelled = [thing("dog", box) for box in SQUARES]
    found = [thing("dog", box, 0.2 + i / 5) for i, box in enumerate(SQUARES)]
    c = curve(labelled, found)
    plot = c.plot(threshold=0.5)
    (axes,) = plot.axes
    line, mark = axes.lines
    assert list(zip(*line.get_data(), strict=True)) == [(1, 1), (0.75, 1), (0.5, 1), (0.25, 1)]
    assert [float(value) for value in np.ravel(mark.get_data())] == [0.5, 1]
    assert mark.get_marker() != line.get_marker()
    assert "threshold 0.50" in [text.get_text() for text in axes.texts]
    assert plot.alt.startswith("Plot: At confidence 0.50: precision 100%")
    assert len(c.plot(threshold=0.9).axes[0].lines) == 1  # nothing to mark
    with pytest.raises(ValueError, match="fraction"):
        c.plot(threshold=40)


def test_it_shows_itself():
    c = curve([thing()], [thing(confidence=0.45)], confidence=0.2)
    tree = Tree(c._repr_html_())
    (image,) = tree.all("img")
    assert image["alt"].startswith("Plot: At confidence 0.40: precision 100% (1 of 1 detection)")
    assert len(tree.all("tr")) == 1 + 8  # thresholds from the request's on
    assert "predict with confidence=0.05" in repr(c)
    assert "predict with" not in repr(curve([thing()], [thing()]))


def test_masks_and_keypoints_count_by_their_boxes():
    for task in (Task.INSTANCE_SEGMENTATION, Task.KEYPOINT_DETECTION):
        c = precision_recall_curve(truth(thing()), objects(thing(), task=task))
        assert numbers(c.at(0.4)) == (1, 0, 0)


def test_a_filter_of_both_is_the_curve_of_a_class():
    labelled = truth(thing("dog", SQUARES[0]), thing("cat", SQUARES[1]))
    found = objects(thing("dog", SQUARES[0]), thing("cat", SQUARES[2]))
    dogs = precision_recall_curve(labelled.filter(classes=["dog"]), found.filter(classes=["dog"]))
    assert numbers(dogs.at(0.4)) == (1, 0, 0)


def test_the_counts_at_a_threshold_are_those_of_a_comparison():
    labelled = truth(*(thing("dog", box) for box in SQUARES))
    found = objects(*(thing("dog", box, 0.2 + i / 5) for i, box in enumerate(SQUARES)))
    c = compare(labelled, found.filter(confidence=0.5))
    point = precision_recall_curve(labelled, found).at(0.5)
    assert numbers(point) == (len(c.both), len(c.only_a), len(c.only_b)) == (2, 2, 0)


def test_what_makes_no_curve_is_refused():
    p = objects(thing())
    with pytest.raises(TypeError, match="sample_truth or coco_truth"):
        precision_recall_curve(p, p)
    with pytest.raises(TypeError, match="classification"):
        precision_recall_curve(truth(), ranking(("a", 1.0)))
    with pytest.raises(TypeError, match="str"):
        precision_recall_curve(truth(), "photo.jpg")
    with pytest.raises(ValueError, match="100 x 80"):
        precision_recall_curve(truth(), objects(size=(10, 10)))
    for bad in (0, 50):
        with pytest.raises(ValueError, match="iou"):
            precision_recall_curve(truth(), p, iou=bad)
