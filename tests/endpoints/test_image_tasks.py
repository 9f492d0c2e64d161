"""Every recorded response is read, and every shape that the documentation promises."""

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
from rfhosted.endpoints.image_tasks import parse
from rfhosted.hosted import IMAGE_TASKS, Task
from rfhosted.outputs.masks import crop
from rfhosted.outputs.values import Detection, Polygon, Ranking, Rle
from support.recordings import recordings

RESPONSES = [
    r
    for r in recordings()
    if r.status == 200
    and r.is_json
    and "/predictions" not in r.name
    and not r.name.startswith("service/")
]
TASKS = {task: task for task in map(str, IMAGE_TASKS)} | {
    "multi-label-classification": "classification",
    "errors": "object-detection",
}


def short(value) -> str:
    return repr(value)[:25]


def read(raw, task=None, image_size=(640, 480), sent_size=(640, 480)):
    parsed = parse(raw, task, image_size=image_size, sent_size=sent_size)
    return parsed.task, parsed.output


@pytest.mark.parametrize("recording", RESPONSES, ids=lambda r: r.name)
def test_recorded_responses_are_read(recording) -> None:
    raw = recording.json
    before = copy.deepcopy(raw)
    width, height = raw["image"]["width"], raw["image"]["height"]
    expected = TASKS[recording.name.split("/")[0]]
    task, output = read(raw, Task(expected), (width * 2, height * 3), (width, height))
    assert task == expected
    assert raw == before
    if isinstance(output, tuple):
        assert len(output) == len(raw["predictions"])
        for item, reported in zip(output, raw["predictions"], strict=True):
            assert item.class_name == reported["class"]
            assert item.class_id == reported["class_id"]
            assert item.confidence == reported["confidence"]
            x1, y1, x2, y2 = item.box
            assert (x1 + x2) / 2 == pytest.approx(reported["x"] * 2)
            assert y2 - y1 == pytest.approx(reported["height"] * 3)
            assert len(item.key_points) == len(reported.get("keypoints", ()))
            if "rle" in reported:
                assert isinstance(item.mask, Rle)
                bits, left, top = crop(item.mask, (width * 2, height * 3), (width, height))
                # The model's box is not its mask's, but they lie in one place.
                assert abs(left - (reported["x"] - reported["width"] / 2)) < 0.2 * width
                assert bits.shape[1] < 1.5 * reported["width"] + 10
                assert abs(top - (reported["y"] - reported["height"] / 2)) < 0.2 * height
            elif reported.get("points"):
                assert isinstance(item.mask, Polygon)
                assert item.mask.points[0] == pytest.approx(
                    (reported["points"][0]["x"] * 2, reported["points"][0]["y"] * 3)
                )
    elif isinstance(output, Ranking):
        scores = [entry.confidence for entry in output.ranked]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == len(raw["predictions"])
        assert (output.predicted_classes is None) == ("top" in raw)
    else:
        assert output.class_ids.shape == (height, width)
        assert output.class_ids.dtype == np.uint8
        present = set(np.unique(output.class_ids).tolist())
        assert present == set(raw["predictions"]["present_class_ids"])
        assert output.names[output.background] == "background"


def test_the_response_shows_the_task() -> None:
    reported = {}
    for recording in RESPONSES:
        task, _ = read(recording.json)
        reported.setdefault(recording.name.split("/")[0], set()).add(str(task))
    # Only an empty list of objects does not tell which kind it is empty of.
    assert reported["classification"] == {"classification"}
    assert reported["multi-label-classification"] == {"classification"}
    assert reported["semantic-segmentation"] == {"semantic-segmentation"}
    assert reported["object-detection"] == {"object-detection"}
    assert reported["instance-segmentation"] <= {"instance-segmentation", "object-detection"}
    assert reported["keypoint-detection"] <= {"keypoint-detection", "object-detection"}


def box(**more):
    return {"x": 10, "y": 20, "width": 4, "height": 6, "confidence": 0.5, "class": "dog"} | more


def objects(*items, **more):
    return {"predictions": list(items), "image": {"width": 640, "height": 480}} | more


def test_a_ring_keeps_its_hole() -> None:
    ring = next(r for r in RESPONSES if r.name == "instance-segmentation/ring-rle")
    _, found = read(ring.json, image_size=(400, 300))
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
    _, (person,) = read(objects(box(keypoints=[point])), image_size=(1280, 480))
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
    grid = next(r for r in RESPONSES if r.name == "instance-segmentation/mask_decode_mode-tradeoff")
    full = next(r for r in RESPONSES if r.name == "instance-segmentation/mask_decode_mode-accurate")
    for small, large in zip(
        read(grid.json, image_size=(300, 200), sent_size=(300, 200))[1],
        read(full.json, image_size=(300, 200), sent_size=(300, 200))[1],
        strict=True,
    ):
        assert small.box == pytest.approx(large.box, abs=3)


@pytest.mark.parametrize("image", [None, [1, 2], {"width": None, "height": None}, {}])
def test_without_a_size_the_sent_one_counts(image) -> None:
    raw = objects(box()) | {"image": image}
    _, (found,) = read(raw, image_size=(640, 480), sent_size=(320, 240))
    assert found.box == pytest.approx((16, 34, 24, 46))


def test_sizes_as_text() -> None:
    raw = objects(box()) | {"image": {"width": "320", "height": "240"}}
    _, (found,) = read(raw)
    assert found.box == pytest.approx((16, 34, 24, 46))


def png(array, mode="L") -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(array, dtype=np.uint8)).convert(mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_flat_semantic_outputs_of_v1() -> None:
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
    "predictions of another kind": {"predictions": 3},
    "null predictions": {"predictions": None},
    "no box with a place": objects({"confidence": 0.5, "class": "dog"}),
    "a number that is none": objects(box(x=float("nan"))),
    "a score beyond 1": {"predictions": [{"class": "a", "confidence": 87}], "top": "a"},
    "scores that are none": {"predictions": {"a": None, "b": 0.5}},
    "no class map": {"segmentation_mask": png([[1]]), "class_map": None},
    "a mask that is no PNG": {"predictions": {"segmentation_mask": "AAAA", "class_map": {}}},
    "a mask in colour": {"predictions": {"segmentation_mask": png([[1]], "RGB"), "class_map": {}}},
}


@pytest.mark.parametrize("raw", WRONG.values(), ids=WRONG)
def test_a_response_that_cannot_be_read_is_kept(raw) -> None:
    with pytest.raises(UnexpectedAnswerError) as caught:
        read(raw)
    assert caught.value.raw is raw
    assert caught.value.__context__ is None
    assert caught.value.advice


def test_the_words_of_an_error_with_the_status_of_a_success_are_kept() -> None:
    with pytest.raises(UnexpectedAnswerError) as caught:
        read({"error": {"message": "Forbidden\x1b"}})
    assert caught.value.server_message == "Forbidden"


def test_another_task_than_the_requested_one_is_named() -> None:
    with pytest.raises(UnexpectedAnswerError) as caught:
        read(objects(box(keypoints=[])), Task.CLASSIFICATION)
    assert "task='keypoint-detection'" in caught.value.advice


JOINT = {"x": 1, "y": 2, "confidence": 0.9, "class": "tip"}
TRIANGLE = [{"x": 1, "y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 5}]
#: A response, what is left of it as (objects, masks, keypoints), and the part that its note names.
PARTS = {
    "an object without a place": (
        objects({"confidence": 0.5, "class": "dog"}, box()),
        (1, 0, 0),
        "predictions[0].x",
    ),
    "an object that is null": (objects(None, box(), 3, "text", []), (1, 0, 0), "predictions[0]"),
    "a box of negative size": (objects(box(width=-1), box()), (1, 0, 0), "predictions[0].width"),
    "a box at infinity": (objects(box(), box(x=float("inf"))), (1, 0, 0), "predictions[1].x"),
    "a box beyond a float": (objects(box(), box(y=10**400)), (1, 0, 0), "predictions[1].y"),
    "a joint at null": (
        objects(box(keypoints=[JOINT | {"x": None}, JOINT])),
        (1, 0, 1),
        "keypoints[0].x",
    ),
    "a joint in no slot": (
        objects(box(keypoints=[JOINT | {"class_id": slot} for slot in (10**9, -1, 1e300, 3)])),
        (1, 0, 1),
        "keypoints[0].class_id",
    ),
    "keypoints of another kind": (objects(box(keypoints=5)), (1, 0, 0), "keypoints is 5"),
    "a vertex at infinity": (
        objects(box(points=[{"x": float("inf"), "y": 1}, *TRIANGLE])),
        (1, 1, 0),
        "points[0].x",
    ),
    "an outline of another kind": (objects(box(points={"x": 1})), (1, 0, 0), "points is"),
    "run lengths that do not fill": (
        objects(box(rle={"size": [4, 4], "counts": [3]})),
        (1, 0, 0),
        "do not fill",
    ),
    "run lengths that are none": (
        objects(box(rle={"size": [4, 4], "counts": "é~~"})),
        (1, 0, 0),
        "mask",
    ),
    "a grid of nothing": (objects(box(rle={"size": [0, 4], "counts": []})), (1, 0, 0), "rle.size"),
    "a grid of its own": (
        objects(box(rle={"size": [16384, 16384], "counts": [2**28]})),
        (1, 0, 0),
        "larger than the image",
    ),
}


@pytest.mark.parametrize(("raw", "counts", "note"), PARTS.values(), ids=PARTS)
def test_a_part_that_cannot_be_read_is_left_out(raw, counts, note) -> None:
    parsed = parse(raw, None, image_size=(640, 480), sent_size=(640, 480))
    found = parsed.output
    masks = sum(item.mask is not None for item in found)
    assert (len(found), masks, sum(len(item.key_points) for item in found)) == counts
    assert note in parsed.notes[0]


@pytest.mark.parametrize(
    "blank", [None, "", " \n", "\u202e", [], {}, True, float("nan")], ids=short
)
def test_a_class_without_a_name_is_its_number(blank) -> None:
    _, found = read(objects(box(**{"class": blank, "class_id": 7}), box(**{"class": blank})))
    assert [item.class_name for item in found] == ["#7", "(no name)"]


@pytest.mark.parametrize(
    "odd", [None, 10**20, -1, 1.5, "x", [], float("inf"), 10**400, True], ids=short
)
def test_an_id_that_is_none_is_the_place_among_the_names(odd) -> None:
    _, found = read(objects(box(class_id=odd), box(**{"class": "cat", "class_id": "12"})))
    assert [item.class_id for item in found] == [1, 12]


def test_the_task_is_read_from_all_objects() -> None:
    assert read(objects(box(), box(keypoints=[JOINT])))[0] == Task.KEYPOINT_DETECTION
    task, found = read(objects(box(), box(points=TRIANGLE)), Task.INSTANCE_SEGMENTATION)
    assert task == Task.INSTANCE_SEGMENTATION
    assert [item.mask is None for item in found] == [True, False]


@pytest.mark.parametrize("side", ["0", 0, -5, float("nan"), 10**350, 1e-300, "x", [1]], ids=short)
def test_a_size_that_is_none_is_not_used(side) -> None:
    raw = objects(box()) | {"image": {"width": side, "height": 200}}
    _, (found,) = read(raw, image_size=(640, 480), sent_size=(320, 240))
    assert found.box == pytest.approx((16, 34, 24, 46))


def test_class_maps_keep_what_belongs_together() -> None:
    raw = {
        "segmentation_mask": png([[0, 1], [255, 1]]),
        "confidence_mask": png([[9]]),
        "class_map": {"0": "Background", "1": None, "300": "a", "-1": "b", "x": "c"},
    }
    parsed = parse(raw, None, image_size=(2, 2), sent_size=(2, 2))
    assert parsed.output.names == {0: "Background", 1: "#1"}
    assert parsed.output.confidence is None
    assert "3 class map keys" in parsed.notes[0]
    assert "another size" in parsed.notes[1]


@pytest.mark.parametrize("size", [(3000, 3000), (100_000, 1000)])
def test_a_class_map_is_not_much_larger_than_the_image(size) -> None:
    file = io.BytesIO()
    Image.new("L", size).save(file, "PNG")
    raw = {"segmentation_mask": base64.b64encode(file.getvalue()).decode(), "class_map": {}}
    with pytest.raises(UnexpectedAnswerError, match="pixels"):
        read(raw)
    assert read(raw, image_size=size, sent_size=(30, 30))[1].class_ids.shape == size[::-1]


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP", "TIFF"])
def test_a_class_map_is_a_png(kind) -> None:
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, kind)
    raw = {"segmentation_mask": base64.b64encode(file.getvalue()).decode(), "class_map": {}}
    with pytest.raises(UnexpectedAnswerError, match="PNG"):
        read(raw)


def test_present_classes_are_classes_with_a_score() -> None:
    raw = {
        "predictions": {"a": {"confidence": 0.9, "class": "z"}, "b": {"confidence": 0.1}},
        "predicted_classes": ["z", "a", "a", None, ["b"]],
    }
    _, ranking = read(raw)
    assert [score.class_name for score in ranking.ranked] == ["a", "b"]
    assert ranking.predicted_classes == ("a",)
    assert read(raw | {"predicted_classes": None})[1].predicted_classes == ()


def test_times_that_are_none_are_not_reported() -> None:
    sizes = {"image_size": (4, 4), "sent_size": (4, 4)}
    assert parse(objects(time=0.25), None, **sizes).exec == 0.25
    for odd in (None, -5, float("nan"), float("inf"), 10**400, 1e308, "x", [], True, {}):
        assert parse(objects(time=odd), None, **sizes).exec is None
    assert parse(objects(simulated="as published\x1b"), None, **sizes).simulated == "as published"
    for odd in (None, {"a": 1}, [], True):
        assert parse(objects(simulated=odd), None, **sizes).simulated is None


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
def test_no_response_raises_anything_else(raw) -> None:
    try:
        _, output = read(raw)
    except UnexpectedAnswerError:
        return
    assert isinstance(output, Ranking) or all(isinstance(item, Detection) for item in output)


def test_extra_fields_do_no_harm() -> None:
    raw = objects(box(tracker_id=3, mask_source="derived"), resolved_model={"model_id": "a/1"})
    assert len(read(json.loads(json.dumps(raw)))[1]) == 1
