"""Every recorded answer parses, and every shape that the documentation promises."""

from __future__ import annotations

import base64
import copy
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rfhosted import UnexpectedAnswerError
from rfhosted.endpoints.image_tasks import Ranking, parse
from rfhosted.hosted import Task
from rfhosted.outputs.masks import crop
from rfhosted.outputs.values import Detection, Polygon, Rle
from support.recordings import recordings

ANSWERS = [
    r
    for r in recordings()
    if r.status == 200
    and r.is_json
    and "/predictions" not in r.name
    and not r.name.startswith("service/")
]
TASKS = {task: task for task in map(str, Task)} | {
    "multi-label-classification": "classification",
    "errors": "object-detection",
}


def read(raw, task=None, picture=(640, 480), sent=(640, 480)):
    return parse(raw, task, picture=picture, sent=sent)


@pytest.mark.parametrize("recording", ANSWERS, ids=lambda r: r.name)
def test_recorded_answers_parse(recording) -> None:
    raw = recording.json
    before = copy.deepcopy(raw)
    width, height = raw["image"]["width"], raw["image"]["height"]
    expected = TASKS[recording.name.split("/")[0]]
    task, answer = read(raw, Task(expected), (width * 2, height * 3), (width, height))
    assert task == expected
    assert raw == before
    if isinstance(answer, tuple):
        assert len(answer) == len(raw["predictions"])
        for item, told in zip(answer, raw["predictions"], strict=True):
            assert item.class_name == told["class"]
            assert item.class_id == told["class_id"]
            assert item.confidence == told["confidence"]
            x1, y1, x2, y2 = item.box
            assert (x1 + x2) / 2 == pytest.approx(told["x"] * 2)
            assert y2 - y1 == pytest.approx(told["height"] * 3)
            assert len(item.key_points) == len(told.get("keypoints", ()))
            if "rle" in told:
                assert isinstance(item.mask, Rle)
                bits, left, top = crop(item.mask, (width * 2, height * 3), (width, height))
                # The model's box is not its mask's, but they lie in one place.
                assert abs(left - (told["x"] - told["width"] / 2)) < 0.2 * width
                assert bits.shape[1] < 1.5 * told["width"] + 10
                assert abs(top - (told["y"] - told["height"] / 2)) < 0.2 * height
            elif told.get("points"):
                assert isinstance(item.mask, Polygon)
                assert item.mask.points[0] == pytest.approx(
                    (told["points"][0]["x"] * 2, told["points"][0]["y"] * 3)
                )
    elif isinstance(answer, Ranking):
        scores = [entry.confidence for entry in answer.ranked]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == len(raw["predictions"])
        assert (answer.predicted_classes is None) == ("top" in raw)
    else:
        assert answer.class_ids.shape == (height, width)
        assert answer.class_ids.dtype == np.uint8
        present = set(np.unique(answer.class_ids).tolist())
        assert present == set(raw["predictions"]["present_class_ids"])
        assert answer.names[answer.background] == "background"


def test_the_task_is_told_by_the_answer() -> None:
    told = {}
    for recording in ANSWERS:
        task, _ = read(recording.json)
        told.setdefault(recording.name.split("/")[0], set()).add(str(task))
    # Only an empty list of objects does not tell which kind it is empty of.
    assert told["classification"] == {"classification"}
    assert told["multi-label-classification"] == {"classification"}
    assert told["semantic-segmentation"] == {"semantic-segmentation"}
    assert told["object-detection"] == {"object-detection"}
    assert told["instance-segmentation"] <= {"instance-segmentation", "object-detection"}
    assert told["keypoint-detection"] <= {"keypoint-detection", "object-detection"}


def box(**more):
    return {"x": 10, "y": 20, "width": 4, "height": 6, "confidence": 0.5, "class": "dog"} | more


def objects(*items, **more):
    return {"predictions": list(items), "image": {"width": 640, "height": 480}} | more


def test_a_ring_keeps_its_hole() -> None:
    ring = next(r for r in ANSWERS if r.name == "instance-segmentation/ring-rle")
    _, found = read(ring.json, picture=(400, 300))
    bits, _, _ = crop(found[0].mask, (400, 300), (400, 300))
    middle = bits[bits.shape[0] // 2, bits.shape[1] // 2]
    assert not middle
    assert bits.any(axis=0).all()


def test_old_v1_boxes_have_no_class_id() -> None:
    _, found = read(objects(box(), box(**{"class": "cat"}), box()), Task.OBJECT_DETECTION)
    assert [(item.class_name, item.class_id) for item in found] == [
        ("dog", 1),
        ("cat", 0),
        ("dog", 1),
    ]


def test_v1_key_points_say_class_name() -> None:
    point = {"x": 1, "y": 2, "confidence": 0.9, "class_name": "left_eye"}
    _, (person,) = read(objects(box(keypoints=[point])), picture=(1280, 480))
    assert person.key_points[0].class_name == "left_eye"
    assert person.key_points[0].class_id == 1  # COCO's slot, where the server tells none
    assert person.key_points[0].x == 2


def test_ragged_and_missing_key_points() -> None:
    few = [{"x": 1, "y": 2, "confidence": 0.9, "class_id": 16, "class": "right_ankle"}]
    _, found = read(objects(box(keypoints=few), box(keypoints=[])))
    assert [len(item.key_points) for item in found] == [1, 0]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_outline_without_area_is_no_mask_and_costs_no_other(count) -> None:
    short = [{"x": 1, "y": 1}] * count
    whole = [{"x": 1, "y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 5}]
    _, found = read(objects(box(points=short), box(points=whole)), Task.INSTANCE_SEGMENTATION)
    assert found[0].mask is None
    assert isinstance(found[1].mask, Polygon)


def test_a_reduced_grid_is_scaled_by_its_own_size() -> None:
    grid = next(r for r in ANSWERS if r.name == "instance-segmentation/mask_decode_mode-tradeoff")
    full = next(r for r in ANSWERS if r.name == "instance-segmentation/mask_decode_mode-accurate")
    for small, large in zip(
        read(grid.json, picture=(300, 200), sent=(300, 200))[1],
        read(full.json, picture=(300, 200), sent=(300, 200))[1],
        strict=True,
    ):
        assert small.box == pytest.approx(large.box, abs=3)


@pytest.mark.parametrize("image", [None, [1, 2], {"width": None, "height": None}, {}])
def test_without_a_size_the_sent_one_counts(image) -> None:
    raw = objects(box()) | {"image": image}
    _, (found,) = read(raw, picture=(640, 480), sent=(320, 240))
    assert found.box == pytest.approx((16, 34, 24, 46))


def test_sizes_as_text() -> None:
    raw = objects(box()) | {"image": {"width": "320", "height": "240"}}
    _, (found,) = read(raw)
    assert found.box == pytest.approx((16, 34, 24, 46))


def png(array, mode="L") -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(array, dtype=np.uint8)).convert(mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_flat_semantic_answers_of_v1() -> None:
    raw = {
        "segmentation_mask": png([[0, 1], [255, 1]]),
        "class_map": {"0": "Background", "1": "road"},
        "image": {"width": 2, "height": 2},
    }
    task, regions = read(raw)
    assert task == Task.SEMANTIC_SEGMENTATION
    assert regions.class_ids.tolist() == [[0, 1], [255, 1]]
    assert regions.background == 0
    assert regions.confidence is None


def test_background_is_found_by_name_and_a_palette_means_nothing() -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 2]], dtype=np.uint8))
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    file = io.BytesIO()
    image.save(file, "PNG")
    mask = base64.b64encode(file.getvalue()).decode()
    raw = {"predictions": {"segmentation_mask": mask, "class_map": {"0": "a", "2": "background"}}}
    _, regions = read(raw)
    assert regions.class_ids.tolist() == [[0, 1], [2, 2]]
    assert regions.background == 2


WRONG = {
    "nothing": {},
    "a list": [],
    "a text": "hello",
    "none": None,
    "a stub": {"is_stub": True, "model_id": "a/1", "task_type": "object-detection", "time": 0.1},
    "an error": {"message": "no"},
    "a box without a place": objects({"confidence": 0.5, "class": "dog"}, box()),
    "a box without a class": objects({k: v for k, v in box().items() if k != "class"}),
    "a number that is none": objects(box(x=float("nan"))),
    "a vertex that is none": objects(box(points=[{"x": float("inf"), "y": 1}] * 3)),
    "predictions of another kind": {"predictions": 3},
    "run lengths that do not fill": objects(box(rle={"size": [4, 4], "counts": [3]})),
    "run lengths that are none": objects(box(rle={"size": [4, 4], "counts": "é~~"})),
    "a mask that is no PNG": {"predictions": {"segmentation_mask": "AAAA", "class_map": {}}},
    "a mask in colour": {"predictions": {"segmentation_mask": png([[1]], "RGB"), "class_map": {}}},
}


@pytest.mark.parametrize("raw", WRONG.values(), ids=WRONG)
def test_what_fits_no_shape_is_kept(raw) -> None:
    with pytest.raises(UnexpectedAnswerError) as caught:
        read(raw)
    assert caught.value.raw is raw
    assert caught.value.__context__ is None
    assert caught.value.advice


def test_another_task_than_asked_for_is_named() -> None:
    with pytest.raises(
        UnexpectedAnswerError, match=r"answered keypoint-detection.*task='keypoint-detection'"
    ):
        read(objects(box(keypoints=[])), Task.CLASSIFICATION)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "predictions",
                        "image",
                        "top",
                        "class",
                        "x",
                        "y",
                        "width",
                        "points",
                        "rle",
                        "keypoints",
                        "confidence",
                        "height",
                        "size",
                        "counts",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_answer_raises_anything_else(raw) -> None:
    try:
        _, answer = read(raw)
    except UnexpectedAnswerError:
        return
    assert isinstance(answer, Ranking) or all(isinstance(item, Detection) for item in answer)


def test_extra_fields_do_no_harm() -> None:
    raw = objects(box(tracker_id=3, mask_source="derived"), resolved_model={"model_id": "a/1"})
    assert len(read(json.loads(json.dumps(raw)))[1]) == 1
