"""The local models against the ONNX files run by hand, and against themselves under load."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import requests
import supervision as sv
from PIL import Image

import rfhosted
from rfhosted.hosted import IMAGE_TASKS, Task
from rfhosted.local import serve
from support.recordings import IMAGES

HERE = Path(rfhosted.__file__).parent / "local"
PHOTOS = ["astronaut", "cat", "coffee"]
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # of COCO's ids 1 to 90


@pytest.fixture(scope="module")
def server():
    with serve() as running:
        yield running.url


def infer(server, task, data, **parameters):
    response = requests.post(f"{server}/local/{task}", params=parameters, files={"file": data})
    assert response.status_code == 200, response.text
    return response.json()


def photo(name: str) -> bytes:
    return (IMAGES / f"{name}.jpg").read_bytes()


def rgb(name: str) -> np.ndarray:
    return cv2.imread(str(IMAGES / f"{name}.jpg"))[:, :, ::-1].copy()


def run(model: str, **inputs):
    session = onnxruntime.InferenceSession(
        HERE / f"weights/{model}.onnx", providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return session.run(None, {name: inputs["x"]})


def names(which: str) -> list[str]:
    return (HERE / f"labels/{which}.txt").read_text().splitlines()


def by_hand(image: np.ndarray) -> list[tuple[str, float, np.ndarray]]:
    """Detections from the ONNX file; suppression the slow way."""
    height, width = image.shape[:2]
    scores, boxes = run("cocossd", x=cv2.resize(image, (300, 300)).astype("f4")[None] / 127.5 - 1)
    scores = scores[0, :, 1:]
    boxes = boxes.reshape(-1, 4)[:, [1, 0, 3, 2]] * [width, height, width, height]
    coco = names("coco")
    label = {i: coco[k] for k, i in enumerate(i for i in range(1, 91) if i not in UNUSED)}
    found = []
    for i in np.argsort(-scores.max(1)):
        if scores[i].max() <= 0.4:
            break
        name = label[scores[i].argmax() + 1]
        if all(n != name or overlap(boxes[i], b) <= 0.3 for n, _, b in found):
            found.append((name, float(scores[i].max()), boxes[i]))
    return found


def overlap(one, other) -> float:
    common = np.clip(
        np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None
    ).prod()
    return common / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - common)


def corners(item) -> np.ndarray:
    x, y, w, h = (item[k] for k in ("x", "y", "width", "height"))
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


@pytest.mark.parametrize("name", PHOTOS)
def test_detections(server, name) -> None:
    found = infer(server, "object-detection", photo(name))["predictions"]
    expected = by_hand(rgb(name))
    assert [item["class"] for item in found] == [label for label, _, _ in expected]
    for item, (label, score, box) in zip(found, expected, strict=True):
        assert item["confidence"] == pytest.approx(score, abs=1e-5)
        assert corners(item) == pytest.approx(box, abs=1e-2)
        assert names("coco")[item["class_id"]] == label
    subject = {"astronaut": "person", "cat": "cat", "coffee": "cup"}[name]
    assert found[0]["class"] == subject


@pytest.mark.parametrize("name", PHOTOS)
def test_classes(server, name) -> None:
    image = rgb(name)
    height, width = image.shape[:2]
    ratio = 256 / min(height, width)
    scaled = cv2.resize(
        image, (round(width * ratio), round(height * ratio)), interpolation=cv2.INTER_CUBIC
    )
    top, left = (scaled.shape[0] - 224) // 2, (scaled.shape[1] - 224) // 2
    crop = scaled[top : top + 224, left : left + 224].astype("f4")
    [[scores]] = run("efflite0", x=((crop - 127) / 128).transpose(2, 0, 1)[None])
    body = infer(server, "classification", photo(name), confidence=0)
    expected = [i for i in np.argsort(-scores) if scores[i] >= 0.01]
    assert [item["class"] for item in body["predictions"]] == [
        names("imagenet")[i] for i in expected
    ]
    assert [item["confidence"] for item in body["predictions"]] == [
        pytest.approx(scores[i], abs=6e-5) for i in expected
    ]
    assert (body["top"], body["confidence"]) == tuple(
        body["predictions"][0][k] for k in ("class", "confidence")
    )
    for item in body["predictions"]:
        assert item["confidence"] == round(item["confidence"], 4)


def test_no_class_is_sure_enough(server) -> None:
    body = infer(server, "classification", photo("cat"), confidence=0.9)
    assert (body["predictions"], body["top"], body["confidence"]) == ([], "", 0.0)
    at_default = infer(server, "classification", photo("cat"), confidence="default")
    assert at_default["predictions"] == []  # classifiers take .5 for it, and .4 for none


def class_map(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    ratio = 513 / max(height, width)
    size = round(width * ratio), round(height * ratio)
    [ids] = run("deeplab", x=cv2.resize(image, size)[None])
    cut = ids[0, : size[1], : size[0]].astype(np.uint8)
    return cv2.resize(cut, (width, height), interpolation=cv2.INTER_NEAREST)


def unpack(png: str) -> np.ndarray:
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    assert image.mode == "L"
    return np.asarray(image)


@pytest.mark.parametrize("name", PHOTOS)
def test_class_maps(server, name) -> None:
    expected = class_map(rgb(name))
    found = infer(server, "semantic-segmentation", photo(name), confidence=0)["predictions"]
    assert np.array_equal(unpack(found["segmentation_mask"]), expected)
    assert found["present_class_ids"] == np.unique(expected).tolist()
    assert found["class_map"] == {str(i): label for i, label in enumerate(names("voc"))}
    sure = unpack(found["confidence_mask"])
    assert sure.shape == expected.shape
    assert sure.mean() > 200

    strict = infer(server, "semantic-segmentation", photo(name), confidence=0.9)["predictions"]
    ids, kept = unpack(strict["segmentation_mask"]), unpack(strict["confidence_mask"])
    assert np.array_equal(ids, np.where(kept > 0, expected, 0))
    assert kept[kept > 0].min() >= int(0.9 * 255)
    assert np.array_equal(kept, np.where(kept > 0, sure, 0))


def salient(image: np.ndarray) -> np.ndarray:
    x = cv2.resize(image, (320, 320)).astype("f4")
    x = (x / x.max() - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = run("u2netp", x=x.transpose(2, 0, 1)[None].astype("f4"))[0][0, 0]
    found = (found - found.min()) / (found.max() - found.min())
    return cv2.resize(found, image.shape[1::-1]) > 0.5


@pytest.mark.parametrize(
    ("name", "label", "voc"),
    [("astronaut", "person", 15), ("cat", "cat", 8), ("coffee", "cup", None)],
)
def test_derived_masks(server, name, label, voc) -> None:
    image = rgb(name)
    body = infer(server, "instance-segmentation", photo(name), response_mask_format="rle")
    item = body["predictions"][0]
    assert (item["class"], item["mask_source"], item["mask_format"]) == (label, "derived", "rle")
    x1, y1, x2, y2 = np.clip(corners(item), 0, [*image.shape[1::-1], *image.shape[1::-1]])
    x1, y1, x2, y2 = int(x1), int(y1), int(np.ceil(x2)), int(np.ceil(y2))
    expected = np.zeros(image.shape[:2], bool)
    if voc:
        expected[y1:y2, x1:x2] = class_map(image)[y1:y2, x1:x2] == voc
    else:
        right, down = int(0.08 * (x2 - x1)), int(0.08 * (y2 - y1))
        left, top = max(0, x1 - right), max(0, y1 - down)
        around = salient(image[top : y2 + down, left : x2 + right])
        expected[y1:y2, x1:x2] = around[y1 - top : y2 - top, x1 - left : x2 - left]
    mask = sv.rle_to_mask(item["rle"]["counts"], body["image"].values())
    assert item["rle"]["size"] == list(mask.shape) == list(image.shape[:2])
    assert np.array_equal(mask, expected)

    outlined = infer(server, "instance-segmentation", photo(name))["predictions"][0]
    points = np.array([(p["x"], p["y"]) for p in outlined["points"]], np.int32)
    filled = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [points], 1).astype(bool)
    assert (filled & mask).sum() / (filled | mask).sum() > 0.9


def test_key_points(server) -> None:
    image = rgb("astronaut")
    [item] = infer(server, "keypoint-detection", photo("astronaut"))["predictions"]
    x1, y1, x2, y2 = corners(item)
    side = 1.25 * max(x2 - x1, y2 - y1)
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    padded = cv2.copyMakeBorder(image, 600, 600, 600, 600, cv2.BORDER_CONSTANT)
    crop = padded[top + 600 : top + 600 + round(side), left + 600 : left + 600 + round(side)]
    [[[points]]] = run("movenet", x=cv2.resize(crop, (192, 192)).astype(np.int32)[None])
    found = {p["class_id"]: p for p in item["keypoints"]}
    assert len(found) >= 8
    for slot, (y, x, score) in enumerate(points):
        if abs(score - 0.3) > 0.05:  # crops differ by half a pixel
            assert (slot in found) == (score > 0.3)
        if score > 0.5:
            assert found[slot]["x"] == pytest.approx(x * side + left, abs=side / 100)
            assert found[slot]["y"] == pytest.approx(y * side + top, abs=side / 100)
    assert all(point["confidence"] >= 0.3 for point in item["keypoints"])
    assert found[0]["class"] == "nose"
    assert found[1]["x"] > found[2]["x"]  # the left eye is the person's


def test_only_persons_are_counted(server) -> None:
    body = infer(server, "keypoint-detection", photo("astronaut"), confidence=0, max_detections=3)
    assert [item["class"] for item in body["predictions"]] == ["person"] * 3


def bare(value):
    """Without what differs from response to response."""
    if isinstance(value, dict):
        drop = ("time", "inference_id", "detection_id")
        return {k: bare(v) for k, v in value.items() if k not in drop}
    return [bare(v) for v in value] if isinstance(value, list) else value


def test_requests_at_once_do_not_disturb_each_other(server) -> None:
    calls = [(task, photo(name)) for task in IMAGE_TASKS for name in ("cat", "astronaut")] * 2
    alone = [bare(infer(server, *call)) for call in calls]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda call: bare(infer(server, *call)), calls))
    assert together == alone


@pytest.mark.parametrize("task", IMAGE_TASKS)
@pytest.mark.parametrize(
    "size", [(1, 1), pytest.param((1, 900), marks=pytest.mark.slow), (900, 1), (3000, 2)]
)
def test_odd_sizes(server, task, size) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, "white").save(file, "PNG")
    body = infer(server, task, file.getvalue(), confidence=0, max_detections=3)
    assert body["image"] == {"width": size[0], "height": size[1]}


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png(server, mode) -> None:
    file = io.BytesIO()
    image = Image.open(IMAGES / "cat.jpg").convert("L" if mode == "I;16" else "RGB")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    else:
        image = image.convert(mode)
    image.save(file, "PNG")
    assert infer(server, "object-detection", file.getvalue())["predictions"][0]["class"] == "cat"


def test_exif_rotates_images(server) -> None:
    image = Image.open(IMAGES / "cat.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, upright = io.BytesIO(), io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(turned, "PNG", exif=exif)
    image.save(upright, "PNG")
    seen, expected, as_stored = (
        bare(infer(server, "object-detection", file.getvalue(), **more))
        for file, more in (
            (turned, {}),
            (upright, {}),
            (turned, {"disable_preproc_auto_orient": "true"}),
        )
    )
    assert seen == expected
    assert as_stored["image"] == {
        "width": seen["image"]["height"],
        "height": seen["image"]["width"],
    }


@pytest.mark.parametrize("task", [t for t in IMAGE_TASKS if t != Task.SEMANTIC_SEGMENTATION])
def test_rendered_predictions(server, task) -> None:
    name = "astronaut" if "key" in task else "coffee"
    url = f"{server}/local/{task}"
    plain, thick, labelled = (
        cv2.imdecode(
            np.frombuffer(requests.post(url, params=p | {"format": "image"}, files={"file": photo(name)}).content, np.uint8), 1
        ).astype(int)
        for p in ({}, {"stroke": 7}, {"labels": True})
    )  # fmt: skip
    original = rgb(name)[:, :, ::-1].astype(int)

    def drawn(image) -> int:
        return int((abs(image - original).max(axis=2) > 60).sum())

    assert plain.shape == original.shape
    assert drawn(plain) > 100
    if task != Task.CLASSIFICATION:
        assert drawn(thick) > 2 * drawn(plain)
        assert drawn(labelled) > drawn(plain)
    both = infer(server, task, photo(name), format="image_and_json")
    assert base64.b64decode(both["visualization"])[:2] == b"\xff\xd8"
    assert both["predictions"]


def test_models_load_when_they_are_first_used() -> None:
    script = f"""
import sys, requests
import rfhosted.local
assert "onnxruntime" not in sys.modules
from rfhosted.local import onnx_models
with rfhosted.local.serve() as server:
    assert requests.get(server.url + "/healthz").ok
    assert "onnxruntime" not in sys.modules
    file = open({str(IMAGES / "cat.jpg")!r}, "rb").read()
    for _ in range(2):
        assert requests.post(server.url + "/local/classification", files={{"file": file}}).ok
assert [name for _, name in onnx_models._sessions] == ["efflite0"]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_a_model_used_by_many_at_once_is_loaded_once(monkeypatch) -> None:
    from rfhosted.local import onnx_models

    monkeypatch.setattr(onnx_models, "_sessions", {})
    with ThreadPoolExecutor(4) as pool:
        sessions = list(pool.map(onnx_models.session, ["movenet"] * 4))
    assert len({id(session) for session in sessions}) == 1


def test_notice_names_every_file_by_its_content() -> None:
    notice = (HERE.parents[1] / "NOTICE").read_text()
    named = dict(
        re.findall(
            r"^(\S+\.(?:onnx|txt)): [^\n]*\n(?:  .*\n)*?  sha256 +(\w{64})$", notice, re.MULTILINE
        )
    )
    files = [*HERE.glob("weights/*.onnx"), *HERE.glob("labels/*.txt")]
    assert named == {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    assert all(word in notice for word in ("COCO", "ImageNet", "Pascal VOC", "terms of their own"))
