"""The embedded server gets the recorded requests, and responds as the real server did."""

from __future__ import annotations

import base64
import re

import pytest
import requests

from rfhosted.local.app import build_app
from rfhosted.local.server import running
from support.recordings import IMAGES, recordings

#: The local models for the recorded ones.
OURS = {
    "/blob-od/1": "/local/object-detection",
    "/coco/3": "/local/object-detection",
    "/acme/blob-od-1-yolov8n-t1": "/local/object-detection",
    "/blob-seg/1": "/local/instance-segmentation",
    "/blob-kp/1": "/local/keypoint-detection",
    "/blob-cls/1": "/local/classification",
    "/blob-multi/1": "/local/classification",
    "/blob-sem/1": "/local/semantic-segmentation",
}
#: The recorded models know coloured blocks, the local ones know what is in photos.
BLOCKS = ("scene.jpg", "two.jpg", "one.jpg")
PHOTOS = {
    "instance-segmentation": "cat.jpg",
    "keypoint-detection": "astronaut.jpg",
    "semantic-segmentation": "cat.jpg",
}
#: Recordings of what this server does not have, and why.
DIFFERENT = (
    {"errors/over-credit-cap-402": "there are no credits"}
    | {
        f"errors/upstream-api-{status}": "there is no platform behind this server"
        for status in (400, 402, 403, 408, 409, 423, 503)
    }
    | {
        f"instance-segmentation/mask_decode_mode-{mode}": "masks have the image's size"
        for mode in ("accurate", "tradeoff")  # both with allow_reduced_mask_resolution=true
    }
    | {
        f"multi-label-classification/{name}": "no local model gives an image several labels"
        for name in ("base64-scene", "confidence-0", "confidence-0.1", "confidence-0.999", "multipart-cold-start")
    }
)  # fmt: skip
#: Headers that are compared; the others are ids, dates, lengths, or of no use to a client.
COMPARED = {
    "content-type", "x-processing-time", "x-model-cold-start", "x-inference-engine",
    "x-request-id",
}  # fmt: skip
#: What no threshold, image or parameter keeps from being detected.
PLAIN = re.compile(r"confidence=(0\.99|0\.999|99|100|50|0\.5|80|0\.8|best|default)$")


@pytest.fixture(scope="module")
def server():
    """With the recorder's key."""
    with running(build_app("test-key")) as url:
        for path in set(OURS.values()):  # cold starts have a test of their own
            requests.post(f"{url}{path}?api_key=test-key", files={"file": photo("two.jpg", "")})
        yield url


def photo(name: str, task: str) -> bytes:
    return (IMAGES / (PHOTOS.get(task, "coffee.jpg") if name in BLOCKS else name)).read_bytes()


def body_of(recording) -> bytes:
    """The recorded body with an image that the local models know."""
    body = recording.request.get("body") or {"length": 0}
    name, encoding = recording.name, body.get("encoding")
    if encoding == "json":
        return body.get("text", '{"api_key": "test-key"}').encode()
    if not body.get("image_file"):
        by_name = {
            "errors/base64-of-text": base64.b64encode(b"hello, this is not an image"),
        }
        content = by_name.get(name, b"")
        assert len(content) == body["length"]
        return content
    content = photo(body["image_file"], name.split("/")[0])
    if encoding == "multipart":
        file = "" if name.endswith("no-filename") else f'; filename="{body["image_file"]}"'
        head = f'--{body["boundary"]}\r\nContent-Disposition: form-data; name="file"{file}\r\n\r\n'
        return head.encode() + content + f"\r\n--{body['boundary']}--\r\n".encode()
    if encoding == "raw":
        return content
    text = base64.b64encode(content)
    return {
        "base64": lambda: text,
        "base64 with prefix data:image/jpeg;base64,": lambda: b"data:image/jpeg;base64," + text,
        "base64-mime-newlines": lambda: b"\n".join(re.findall(rb".{1,76}", text)),
        "base64-percent-encoded": lambda: text.replace(b"+", b"%2B").replace(b"/", b"%2F"),
        "base64-unpadded": lambda: text.rstrip(b"="),
    }[encoding]()


def send(server: str, recording) -> requests.Response:
    request = recording.request
    path = request["path"]
    for theirs, ours in OURS.items():
        path = re.sub(f"^{theirs}(?=/?$)", ours, path)
    url = server + path + (f"?{request['query']}" if request["query"] else "")
    prepared = requests.Request(request["method"], url, data=body_of(recording)).prepare()
    sent = {k: v for k, v in request["headers"] if k not in ("Host", "Content-Length")}
    if "Content-Length" in dict(request["headers"]):
        sent["Content-Length"] = str(len(prepared.body or b""))
    prepared.headers = requests.structures.CaseInsensitiveDict(sent)
    with requests.Session() as session:
        return session.send(prepared)


def shape(value):
    """Names in their order and the types of values; of a list, its first item."""
    if isinstance(value, dict):
        if all(name.isdigit() for name in value):
            return "names by number"
        return [(name, shape(inner)) for name, inner in value.items() if name != "mask_source"]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(
    "recording", [r for r in recordings() if r.name not in DIFFERENT], ids=lambda r: r.name
)
def test_responses_as_recorded(server, recording) -> None:
    response = send(server, recording)
    assert response.status_code == recording.status, response.text[:300]
    headers = {k.lower(): v for k, v in response.headers.items()}
    assert headers.keys() & COMPARED == recording.headers.keys() & COMPARED
    assert headers.get("content-type") == recording.headers.get("content-type")
    if not recording.is_json or not recording.body:
        assert bool(response.content) == bool(recording.data["response"]["body_length"])
        if headers.get("content-type") == "image/jpeg":
            assert response.content[:2] in (b"", b"\xff\xd8")
        return
    recorded, body = recording.json, response.json()
    if recording.status != 200:
        assert response.text == recording.body.decode()
        return
    query, file = (
        recording.request["query"],
        (recording.request.get("body") or {}).get("image_file"),
    )
    if isinstance(recorded.get("predictions"), list):
        if file in BLOCKS and recorded["predictions"] and not PLAIN.search(query):
            assert body["predictions"], "no detection to compare"
        if not (recorded["predictions"] and body["predictions"]):
            recorded["predictions"] = body["predictions"] = []
    assert shape(body) == shape(recorded)
    if "predictions" in body and file not in BLOCKS:
        assert body["image"] == recorded["image"]


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_what_is_not_compared_really_differs(server, name) -> None:
    recording = next(r for r in recordings() if r.name == name)
    response = send(server, recording)
    same = response.status_code == recording.status
    if same and recording.is_json:
        same = shape(response.json()) == shape(recording.json)
        same &= recording.status == 200 or response.json() == recording.json
    assert not same


def test_every_exception_is_a_recording() -> None:
    assert set(DIFFERENT) <= {r.name for r in recordings()}


def test_every_task_was_compared_with_a_detection(server) -> None:
    for path in {*OURS.values()} - {"/local/semantic-segmentation"}:
        file = photo("two.jpg", path.rpartition("/")[2])
        response = requests.post(f"{server}{path}?api_key=test-key", files={"file": file})
        assert response.json()["predictions"], path


def test_a_cold_start_is_reported_once() -> None:
    cat = (IMAGES / "cat.jpg").read_bytes()
    with running(build_app()) as url:
        address = f"{url}/local/object-detection"
        first, second = (requests.post(address, files={"file": cat}) for _ in range(2))
    assert first.headers["x-model-cold-start"] == "true"
    assert float(first.headers["x-model-load-time"]) > 0
    assert second.headers["x-model-cold-start"] == "false"
    assert "x-model-load-time" not in second.headers
    assert float(second.headers["x-processing-time"]) >= second.json()["time"] > 0


def test_thresholds_are_read_as_recorded(server) -> None:
    def confidences(query: str) -> list[float]:
        url = f"{server}/local/object-detection?api_key=test-key&{query}"
        response = requests.post(url, files={"file": (IMAGES / "coffee.jpg").read_bytes()})
        return [item["confidence"] for item in response.json()["predictions"]]

    everything = confidences("confidence=0")
    assert len(everything) > 5
    assert (
        confidences("confidence=1")
        == confidences("confidence=0.01")
        == confidences("confidence=-5")
        == everything
    )
    assert (
        confidences("confidence=40")
        == confidences("confidence=0.4")
        == confidences("")
        == confidences("confidence=best")
    )
    assert confidences("confidence=0&max_detections=2") == everything[:2]
    assert confidences("confidence=0&max_detections=-1") == everything[:-1]
    assert confidences("confidence=0&overlap=-1") == confidences("confidence=0&overlap=0")
    assert len(confidences("confidence=10&overlap=150")) > len(
        confidences("confidence=10&overlap=0")
    )
    assert confidences("confidence=10&overlap=1") == confidences("confidence=10&overlap=0.01")


def test_all_broken_parameters_are_in_one_response(server) -> None:
    query = "api_key=test-key&confidence=x&format=image&labels=maybe&max_detections=2.5&overlap=&stroke=y&response_mask_format=png&who=me"
    response = requests.post(
        f"{server}/local/object-detection?{query}", files={"file": photo("two.jpg", "")}
    )
    assert response.status_code == 422
    assert [problem["loc"][1] for problem in response.json()["detail"]] == [
        "confidence", "confidence", "labels", "max_detections", "overlap", "stroke", "response_mask_format",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "task", ["object-detection", "instance-segmentation", "keypoint-detection"]
)
def test_objects_under_v1_have_the_older_shape(server, task) -> None:
    url = f"{server}/v1/local/{task}?api_key=test-key&response_mask_format=rle"
    response = requests.post(url, files={"file": photo("two.jpg", task)})
    assert "x-processing-time" not in response.headers
    assert list(response.json()) == ["inference_id", "time", "image", "predictions"]
    item = response.json()["predictions"][0]
    extra = {
        "object-detection": [],
        "instance-segmentation": ["points", "mask_source"],
        "keypoint-detection": ["keypoints"],
    }[task]
    assert list(item) == ["x", "y", "width", "height", "confidence", "class", *extra]
    if task == "keypoint-detection":
        assert set(item["keypoints"][0]) == {"x", "y", "confidence", "class_id", "class_name"}


def test_class_maps_under_v1_are_flat(server) -> None:
    url = f"{server}/v1/local/semantic-segmentation?api_key=test-key"
    response = requests.post(url, files={"file": photo("two.jpg", "semantic-segmentation")})
    assert list(response.json()) == ["segmentation_mask", "class_map", "image"]


def test_classes_under_v1(server) -> None:
    url = f"{server}/v1/local/classification?api_key=test-key"
    body = requests.post(url, files={"file": photo("two.jpg", "")}).json()
    assert list(body) == ["inference_id", "time", "image", "predictions", "top", "confidence"]
    assert body["top"] == "espresso"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a.jpg", "https://example.com/a.jpg", "file:///etc/passwd", ""]
)
@pytest.mark.parametrize("path", ["", "/v1"])
def test_urls_of_images_are_refused(server, path, url) -> None:
    address = f"{server}{path}/local/classification"
    response = requests.post(address, params={"api_key": "test-key", "image": url})
    assert response.status_code == 400
    assert response.json()["message"].startswith(
        "Could not load input image. Cause: Providing images via URL is not supported"
    )


@pytest.mark.parametrize("confidence", ["nan", "inf", "1e999", "-inf"])
def test_thresholds_are_finite(server, confidence) -> None:
    address = f"{server}/local/object-detection"
    response = requests.post(
        address, params={"api_key": "test-key", "confidence": confidence}, files={"file": b"x"}
    )
    assert response.status_code == 422
