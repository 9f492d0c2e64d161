"""Responses of every kind of fault: each ends in a prediction that can be used, or in an error.

For large responses, time is bounded in CPU seconds, and memory by the peak of a process, both
generously: what grows with the square of a response, or with a number in it, takes far more.
``RFHOSTED_EXAMPLES`` sets the number of mutated responses.
"""

from __future__ import annotations

import base64
import copy
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rfhosted import HostedError, UnexpectedAnswerError
from rfhosted.hosted import IMAGE_TASKS
from support.recordings import recordings
from support.responses import BOX, SIZE, objects, predicted, used

NAN, INFINITY = float("nan"), float("inf")
TRIANGLE = [{"x": 10, "y": 10}, {"x": 90, "y": 10}, {"x": 90, "y": 80}]
POINT = {"x": 1, "y": 1, "confidence": 0.9, "class_id": 3, "class": "tip"}
HUGE = 10**400
NAMES = {"0": "background", "1": "road"}


def png(size=SIZE, value=1, mode="L", kind="PNG") -> str:
    file = io.BytesIO()
    Image.new(mode, size, value).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def noise(size, seed=0) -> str:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, size[::-1], dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def masked(rle=None, **more) -> dict:
    return objects(BOX | ({"rle": rle} if rle else {}) | more)


def points(*slots, **more) -> dict:
    return objects(BOX | {"keypoints": [POINT | {"class_id": slot} for slot in slots]} | more)


def semantic(**more) -> dict:
    return {"predictions": {"segmentation_mask": png(), "class_map": NAMES} | more}


ERROR = UnexpectedAnswerError
#: name -> a response, and the rows of its prediction, or the error.
FAULTS = {
    # Numbers
    "x beyond a float": (objects(BOX | {"x": HUGE}), ERROR),
    "x beyond a float, of one object": (objects(BOX | {"x": HUGE}, BOX), 1),
    "x of another sign beyond": (objects(BOX | {"x": -HUGE}), ERROR),
    "x that OpenCV cannot take": (objects(BOX | {"x": 1e308}, BOX), 1),
    "x as text": (objects(BOX | {"x": "50"}), 1),
    "x as text of a megabyte": (objects(BOX | {"x": "9" * 1_000_000}), ERROR),
    "x that is true": (objects(BOX | {"x": True}, BOX), 1),
    "x that is a list": (objects(BOX | {"x": [1]}, BOX), 1),
    "NaN for a height": (objects(BOX | {"height": NAN}, BOX), 1),
    "a negative width": (objects(BOX | {"width": -1e300}), ERROR),
    "a width of nothing": (objects(BOX | {"width": 0, "height": 0}), 1),
    "infinite confidence": (objects(BOX | {"confidence": INFINITY}, BOX), 1),
    "confidence of percent": (objects(BOX | {"confidence": 90}, BOX), 1),
    "no confidence": (objects(BOX | {"confidence": None}, BOX), 1),
    "time beyond a float": (objects(BOX, time=HUGE), 1),
    "time of NaN": (objects(BOX, time=NAN), 1),
    "negative time": (objects(BOX, time=-5), 1),
    # Sizes
    "a size of zero as text": (objects(BOX, image={"width": "0", "height": 200}), 1),
    "a size of NaN": (objects(BOX, image={"width": NAN, "height": 200}), 1),
    "a size beyond a float": (objects(BOX, image={"width": HUGE, "height": 5}), 1),
    "a size near zero": (objects(BOX, image={"width": 1e-300, "height": 1e-300}), 1),
    "a size of one pixel": (objects(BOX, image={"width": 1, "height": 1}), 1),
    "a size that is a list": (objects(BOX, image=[300, 200]), 1),
    # Ids and names
    "an id beyond 64 bits": (objects(BOX | {"class_id": 10**20}), 1),
    "an infinite id": (objects(BOX | {"class_id": INFINITY}), 1),
    "a null id": (objects(BOX | {"class_id": None}), 1),
    "a negative id": (objects(BOX | {"class_id": -7}), 1),
    "a null name": (objects(BOX | {"class": None}), 1),
    "a name of control characters": (objects(BOX | {"class": "\x1b]0;owned\x07dog"}), 1),
    "a name that turns the line": (objects(BOX | {"class": "\u202edog"}), 1),
    "half a character for a name": (objects(BOX | {"class": "\ud800"}), 1),
    "a list for a name": (objects(BOX | {"class": [[]]}), 1),
    "names of a megabyte": (objects(*[BOX | {"class": f"{i}" * 10**6} for i in range(9)]), 9),
    # Keypoints
    "a slot of a hundred million": (points(10**8, 5), 1),
    "a slot beyond 64 bits": (points(10**30), 1),
    "negative slots": (points(-1, -100, 0), 1),
    "an infinite slot": (points(INFINITY, 1), 1),
    "a point at null": (objects(BOX | {"keypoints": [POINT | {"x": None}, POINT]}), 1),
    "a point at infinity": (objects(BOX | {"keypoints": [POINT | {"x": INFINITY}, POINT]}), 1),
    "a list for a point's name": (objects(BOX | {"keypoints": [POINT | {"class": []}]}), 1),
    "null keypoints": (objects(BOX | {"keypoints": None}, BOX), 2),
    "points of several kinds": (objects(BOX | {"keypoints": [None, 3, [], {}, POINT]}), 1),
    "more points than a skeleton has": (points(*range(3000)), 1),
    # Masks
    "an infinite grid": (masked({"size": [INFINITY, 2], "counts": [1]}), 1),
    "a negative grid": (masked({"size": [-2, -2], "counts": [4]}), 1),
    "a grid of nothing": (masked({"size": [0, 0], "counts": []}), 1),
    "a grid of its own": (masked({"size": [2**14, 2**14], "counts": [2**28]}), 1),
    "a grid of another size": (masked({"size": [20, 30], "counts": [90, 60, 450]}), 1),
    "runs that do not fill": (masked({"size": [200, 300], "counts": [5]}), 1),
    "runs beyond 64 bits": (masked({"size": [200, 300], "counts": [10**30, 5]}), 1),
    "runs in words": (masked({"size": [200, 300], "counts": "five"}), 1),
    "runs of several kinds": (masked({"size": [200, 300], "counts": [1, "2", None]}), 1),
    "runs in a dict": (masked({"size": [200, 300], "counts": {"a": 1}}), 1),
    "a mask in words": (masked("a mask"), 1),
    "corners at infinity": (masked(points=[*TRIANGLE, {"x": INFINITY, "y": 1}]), 1),
    "corners far away": (masked(points=[{"x": 1e300, "y": 1}, *TRIANGLE]), 1),
    "corners of several kinds": (masked(points=[None, 5, [], *TRIANGLE, {"x": "20", "y": 5}]), 1),
    "an outline in words": (masked(points="an outline"), 1),
    "a line for an outline": (masked(points=[{"x": 5, "y": 5}] * 3), 1),
    # Class maps
    "a confidence mask of another size": (semantic(confidence_mask=png((150, 100))), 1),
    "a confidence mask that is no image": (semantic(confidence_mask="AAAA"), 1),
    "ids beyond a byte": (semantic(class_map={"1": "a", "300": "background", "70000": "b"}), 1),
    "ids in words": (semantic(class_map={"one": "a", "1": "b"}), 1),
    "a null class name": (semantic(class_map={"1": None}), 1),
    "one class name for two": (semantic(class_map={"0": "a", "1": "a"}), 1),
    "no class map": (semantic(class_map=None), ERROR),
    "a class map that is a list": (semantic(class_map=["a"]), ERROR),
    "a class map of another size": (semantic(segmentation_mask=png((30, 50))), 1),
    "a class map as a JPEG": (semantic(segmentation_mask=png(kind="JPEG")), ERROR),
    "a class map as a GIF": (semantic(segmentation_mask=png(kind="GIF")), ERROR),
    "a class map of 16 bits": (semantic(segmentation_mask=png(mode="I;16")), ERROR),
    "a class map that ends early": (semantic(segmentation_mask=noise(SIZE)[:9000]), ERROR),
    "a class map of 100 megapixels": (semantic(segmentation_mask=png((10_000, 10_000))), ERROR),
    "a class map that is no text": (semantic(segmentation_mask=[1]), ERROR),
    "a list beside a class map": ({"predictions": [1, 2], **semantic()["predictions"]}, 1),
    # Rankings
    "scores of several kinds": ({"predictions": {"a": {"confidence": 0.5}, "b": 3, "c": None}}, 1),
    "a score beyond a float": ({"predictions": [{"class": "a", "confidence": HUGE}], "top": ""}, ERROR),
    "present classes of several kinds": (
        {"predictions": {"a": {"confidence": 0.6}}, "predicted_classes": [None, ["a"], "a", {}]},
        1,
    ),
    "present classes in words": (
        {"predictions": {"a\x9b31m\x08\ud83d": {"confidence": 0.6}}, "predicted_classes": "a"},
        1,
    ),
    # Shapes
    "nothing": ({}, ERROR),
    "null": (None, ERROR),
    "a number": (5, ERROR),
    "null predictions": ({"predictions": None}, ERROR),
    "predictions in words": ({"predictions": "none"}, ERROR),
    "objects of several kinds": (objects(None, 1, "text", [], BOX), 1),
    "no object that is one": (objects(None, 1, "text", []), ERROR),
    "an error": ({"message": "Forbidden"}, ERROR),
    "an error in an object": ({"error": {"message": "Forbidden"}}, ERROR),
    "a simulated label of another kind": (objects(BOX, simulated={"a": 1}), 1),
    "one object with a mask": (objects(BOX, BOX | {"points": TRIANGLE}), 2),
    "one object with keypoints": (objects(BOX, BOX | {"keypoints": [POINT]}), 2),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_ends_in_a_prediction_or_an_error(raw, expected) -> None:
    before = copy.deepcopy(raw)
    if isinstance(expected, int):
        prediction = predicted(raw)
        assert len(prediction.rows()) == expected
        used(prediction)
        assert repr(prediction.raw) == repr(before)  # NaN is not equal to itself
        return
    with pytest.raises(expected) as caught:
        predicted(raw)
    assert caught.value.raw is raw
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def many(item, count, **each) -> dict:
    """Objects that differ: each field is a function of the place."""
    return objects(*(item | {name: make(i) for name, make in each.items()} for i in range(count)))


RANDOM = np.random.default_rng(1)
#: name -> a large response, made when it is needed.
LARGE = {
    "objects of as many classes": lambda: many(BOX, 10_000, **{"class": "c{}".format}),
    "many objects of one class": lambda: many(
        BOX, 2_000, x=lambda _: 300 * RANDOM.random(), y=lambda _: 200 * RANDOM.random()
    ),
    "many objects at one place": lambda: many(BOX, 2_000),
    "a hundred thousand labels": lambda: {
        "predictions": {f"c{i}": {"confidence": 0.6} for i in range(100_000)},
        "predicted_classes": [f"c{i}" for i in range(100_000)],
    },
    "skeletons of the largest size": lambda: many(
        BOX | {"keypoints": [POINT | {"class_id": 999}]}, 2_000
    ),
    "sixty skeletons of a thousand points": lambda: many(
        BOX | {"keypoints": [POINT | {"class_id": k, "class": f"t{k}"} for k in range(1000)]}, 60
    ),
    "masks on the largest grid": lambda: many(
        BOX | {"rle": {"size": [2048, 2048], "counts": [1000, 2**22 - 1000]}}, 300
    ),
    "masks that cover the image": lambda: many(
        BOX | {"rle": {"size": [200, 300], "counts": [0, 60_000]}}, 300
    ),
    "masks of a million runs": lambda: many(
        BOX | {"rle": {"size": [1000, 1000], "counts": [1] * 1_000_000}}, 5
    ),
    "outlines that cross themselves": lambda: many(
        BOX,
        100,
        points=lambda _: [{"x": x, "y": y} for x, y in (RANDOM.random((2_000, 2)) * SIZE).tolist()],
    ),
    "an outline of a hundred thousand corners": lambda: objects(
        BOX | {"points": [{"x": x, "y": 9.0} for x in np.linspace(0, 99, 100_000).tolist()]}
    ),
    "a class map of 256 classes on a grid of its own": lambda: semantic(
        segmentation_mask=noise((2048, 2048)),
        confidence_mask=noise((2048, 2048), 1),
        class_map={str(i): f"c{i}" for i in range(256)},
    ),
    "a hundred thousand ids": lambda: semantic(class_map={str(i): "a" for i in range(100_000)}),
}
CPU_SECONDS, MEGABYTES = 300, 1_000


@pytest.mark.slow
def test_large_responses_are_bounded() -> None:
    # In a process of their own, so that the peak of its memory is theirs.
    child = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    peaks = dict(line.rsplit(":", 1) for line in child.stdout.splitlines())
    assert child.returncode == 0, f"after {peaks}: {child.stderr[-2000:]}"
    assert list(peaks) == list(LARGE)
    assert max(map(int, peaks.values())) < MEGABYTES, peaks


def use_large() -> None:
    """The body of that process: print the peak of its memory in megabytes after each response."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    for name, make in LARGE.items():
        used(predicted(make()), copies=False)
        print(f"{name}:{peak_megabytes()}", flush=True)


def peak_megabytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts the memory of the process that started this one too
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000_000  # macOS: bytes


RECORDED = {
    r.name: r.json
    for r in recordings()
    if r.status == 200 and r.is_json and not r.name.startswith("service/")
}
HOSTILE = [
    None, True, False, 0, -1, 1, 0.5, 255, 256, 2**31, 2**63, 2**64, 10**30, HUGE, -HUGE, 1e7,
    1e308, -1e308, 1e-308, NAN, INFINITY, -INFINITY, "", " ", "0", "-1", "NaN", "inf", "1e400",
    "x", "1_000", "٣", "²", "é", "\x1b]0;o\x07", "\ud800", "\u202eabc", "n" * 5000, [], [[]],
    [None], [1], [[1, 2], [3, 4]], [0] * 5, {}, {"a": 1}, {"x": None}, {"message": "m"}, TRIANGLE,
]  # fmt: skip
FIELDS = [
    "points", "rle", "rle_mask", "keypoints", "class", "class_id", "class_name", "confidence", "x",
    "width", "size", "counts", "mask_source", "simulated", "top", "predicted_classes", "message",
    "segmentation_mask", "confidence_mask", "class_map", "predictions", "image", "time", "is_stub",
]  # fmt: skip
MUTATION = st.tuples(
    st.integers(0, 10_000),
    st.sampled_from(["set", "set", "set", "add", "delete", "insert", "scale"]),
    st.sampled_from(HOSTILE),
    st.sampled_from(FIELDS),
)


def places(value, parent=None, key=None) -> list[tuple]:
    """(container, key) of every value inside, the first six of each list."""
    found = [] if parent is None else [(parent, key)]
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value[:6])
    for name, child in items:
        found += places(child, value, name)
    return found


def mutated(raw, mutations):
    raw = copy.deepcopy(raw)
    for place, how, value, field in mutations:
        found = places(raw)
        if not found:
            break
        parent, key = found[place % len(found)]
        if how == "delete":
            del parent[key]
        elif how == "add" and isinstance(parent[key], dict):
            parent[key][field] = copy.deepcopy(value)
        elif how == "insert" and isinstance(parent[key], list):
            parent[key].insert(0, copy.deepcopy(value))
        elif how == "scale" and isinstance(parent[key], float):
            parent[key] *= 10.0 ** (place % 40 - 10)
        else:
            parent[key] = copy.deepcopy(value)
    return raw


@settings(
    max_examples=int(os.environ.get("RFHOSTED_EXAMPLES", "1000")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(sorted(RECORDED)),
    mutations=st.lists(MUTATION, min_size=1, max_size=4),
    task=st.none() | st.sampled_from(IMAGE_TASKS),
)
def test_any_mutation_ends_in_a_prediction_or_an_error(name, mutations, task) -> None:
    raw = mutated(RECORDED[name], mutations)
    try:
        prediction = predicted(raw, task, size=(60, 40))
    except HostedError:
        return
    used(prediction)


if __name__ == "__main__":
    use_large()
