"""The embedded server, asked what the real one was asked, answers as the real one did."""

from __future__ import annotations

import base64
import re
import struct
import zlib

import pytest
import requests
import starlette.middleware.cors

from rfhosted.local.app import build_app
from rfhosted.local.server import running
from support.recordings import IMAGES, recordings

#: What stands for the recorded models.
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
#: The recorded models know coloured blocks, ours know what is in photographs.
BLOCKS = ("scene.jpg", "two.jpg", "one.jpg")
PHOTOGRAPHS = {
    "instance-segmentation": "cat.jpg",
    "keypoint-detection": "astronaut.jpg",
    "semantic-segmentation": "cat.jpg",
}
#: What was recorded of things that this server does not have, and why it does not.
ELSEWHERE = (
    {
        "errors/over-credit-cap-402": "there are no credits here",
        "service/get-metrics": "there are no metrics here",
        "service/get-logs-with-key": "there are no logs here, and no such route",
    }
    | {
        f"errors/upstream-api-{status}": "there is no platform behind this server"
        for status in (400, 402, 403, 408, 409, 423, 503)
    }
    | {
        f"instance-segmentation/mask_decode_mode-{mode}": "masks are told in the picture's own pixels"
        for mode in ("accurate", "tradeoff")  # both with allow_reduced_mask_resolution=true
    }
    | {
        f"multi-label-classification/{name}": "no model here gives a picture several labels"
        for name in ("base64-scene", "confidence-0", "confidence-0.1", "confidence-0.999", "multipart-cold-start")
    }
)  # fmt: skip
#: Headers that tell something; the others are ids, dates, lengths and the recorder's workspace.
TELLING = {
    "content-type", "x-processing-time", "x-model-cold-start", "x-model-cold-start-count",
    "x-inference-engine", "x-request-id", "x-model-id", "execution_id", "allow", "vary",
    "access-control-allow-origin", "access-control-allow-credentials",
    "access-control-allow-methods", "access-control-max-age", "access-control-allow-headers",
    "access-control-expose-headers",
}  # fmt: skip
#: Of these the value counts, too.
VALUES = {
    "content-type", "allow", "vary", "access-control-allow-origin",
    "access-control-allow-credentials", "access-control-allow-methods",
    "access-control-allow-headers",
}  # fmt: skip
#: Starlette's words about origins have grown; older ones than the recorder's are not compared.
if "QUERY" not in starlette.middleware.cors.ALL_METHODS:
    TELLING -= {"vary"}
    VALUES -= {"vary", "access-control-allow-methods"}
#: What no threshold, picture or parameter keeps from being found.
PLAIN = re.compile(r"confidence=(0\.99|0\.999|99|100|50|0\.5|80|0\.8|best|default)$|image=http")


@pytest.fixture(scope="module")
def server():
    """With the recorder's key, and with the recorder's picture server within reach."""

    def fetch(url: str) -> bytes:
        if url.startswith("http://127.0.0.1:9390/img/"):
            return picture(url.rpartition("/")[2], "object-detection")
        return fetch.fetch(url)

    with running(build_app("test-key", fetch=fetch)) as url:
        for path in set(OURS.values()):  # the cold starts have a test of their own
            requests.post(f"{url}{path}?api_key=test-key", files={"file": picture("two.jpg", "")})
        yield url


def picture(name: str, task: str) -> bytes:
    if name.startswith("(generated: FFD8"):
        return b"\xff\xd8" + b"\0" * (21 * 1024 * 1024)
    if name.startswith("(generated: 12000x12000"):
        chunks = (
            (b"IHDR", struct.pack(">IIBBBBB", 12000, 12000, 8, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress((b"\0" + b"\x80" * 12000) * 12000, 1)),
            (b"IEND", b""),
        )
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks
        )  # fmt: skip
    return (IMAGES / (PHOTOGRAPHS.get(task, "coffee.jpg") if name in BLOCKS else name)).read_bytes()


def body_of(recording) -> bytes:
    """The recorded body, for our models' pictures. Bodies without a picture that are not told in
    words are known by their length."""
    body = recording.request.get("body") or {"length": 0}
    name, encoding = recording.name, body.get("encoding")
    if encoding == "json":
        return body.get("text", '{"api_key": "test-key"}').encode()
    if not body.get("image_file"):
        by_name = {
            "errors/base64-of-text": base64.b64encode(b"hello, this is not an image"),
            "errors/image_type-file-body": b"/etc/hostname",
            "errors/image_type-url-body": b"http://127.0.0.1:9390/img/two.jpg",
        }
        content = by_name.get(name, b"")
        assert len(content) == body["length"]
        return content
    content = picture(body["image_file"], name.split("/")[0])
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


def ask(server: str, recording) -> requests.Response:
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
    "recording", [r for r in recordings() if r.name not in ELSEWHERE], ids=lambda r: r.name
)
def test_answers_as_recorded(server, recording) -> None:
    response = ask(server, recording)
    assert response.status_code == recording.status, response.text[:300]
    headers = {k.lower(): v for k, v in response.headers.items()}
    # One recording is of a cold start; here all models are warm.
    load = {"x-model-load-time", "x-model-load-details"}
    assert headers.keys() & TELLING == recording.headers.keys() & TELLING - load
    for name in VALUES & headers.keys():
        assert headers[name] == recording.headers[name]
    if not recording.is_json or not recording.body:
        assert bool(response.content) == bool(recording.data["response"]["body_length"])
        if headers.get("content-type") == "image/jpeg":
            assert response.content[:2] in (b"", b"\xff\xd8")
        return
    said, body = recording.json, response.json()
    if recording.status != 200:
        assert response.text == recording.body.decode()
        return
    query, file = (
        recording.request["query"],
        (recording.request.get("body") or {}).get("image_file"),
    )
    if isinstance(said.get("predictions"), list):
        if file in BLOCKS and said["predictions"] and not PLAIN.search(query):
            assert body["predictions"], "nothing was found that could be compared"
        if not (said["predictions"] and body["predictions"]):
            said["predictions"] = body["predictions"] = []
    assert shape(body) == shape(said)
    if "predictions" in body and file not in BLOCKS and "image=http" not in query:
        assert body["image"] == said["image"]


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_what_is_not_compared_really_differs(server, name) -> None:
    recording = next(r for r in recordings() if r.name == name)
    response = ask(server, recording)
    same = response.status_code == recording.status
    if same and recording.is_json:
        same = shape(response.json()) == shape(recording.json)
        same &= recording.status == 200 or response.json() == recording.json
    assert not same


def test_there_is_no_test_of_recordings_that_are_gone() -> None:
    assert set(ELSEWHERE) <= {r.name for r in recordings()}


def test_every_task_was_compared_with_something_found(server) -> None:
    for path in {*OURS.values()} - {"/local/semantic-segmentation"}:
        file = picture("two.jpg", path.rpartition("/")[2])
        response = requests.post(f"{server}{path}?api_key=test-key", files={"file": file})
        assert response.json()["predictions"], path


def test_cold_starts_are_told_once() -> None:
    cat = (IMAGES / "cat.jpg").read_bytes()
    with running(build_app()) as url:
        address = f"{url}/local/object-detection"
        first, second = (requests.post(address, files={"file": cat}) for _ in range(2))
        registry = requests.get(f"{url}/model/registry").json()
    recorded = next(r for r in recordings() if r.name == "object-detection/multipart-cold-start")
    assert recorded.headers.keys() & TELLING <= {name.lower() for name in first.headers}
    assert first.headers["x-model-cold-start"] == "true"
    assert float(first.headers["x-model-load-time"]) > 0
    assert '"m": "local/object-detection"' in first.headers["x-model-load-details"]
    assert second.headers["x-model-cold-start"] == "false"
    assert "x-model-load-time" not in second.headers
    assert float(second.headers["x-processing-time"]) >= second.json()["time"] > 0
    assert [model["model_id"] for model in registry["models"]] == ["local/object-detection"]


def test_thresholds_are_read_as_recorded(server) -> None:
    def found(query: str) -> list[float]:
        url = f"{server}/local/object-detection?api_key=test-key&{query}"
        response = requests.post(url, files={"file": (IMAGES / "coffee.jpg").read_bytes()})
        return [item["confidence"] for item in response.json()["predictions"]]

    everything = found("confidence=0")
    assert len(everything) > 5
    assert found("confidence=1") == found("confidence=0.01") == found("confidence=-5") == everything
    assert (
        found("confidence=40") == found("confidence=0.4") == found("") == found("confidence=best")
    )
    assert found("confidence=0&max_detections=2") == everything[:2]
    assert found("confidence=0&max_detections=-1") == everything[:-1]
    assert found("confidence=0&overlap=-1") == everything[:1]
    assert len(found("confidence=10&overlap=150")) > len(found("confidence=10&overlap=0"))
    assert found("confidence=10&overlap=1") == found("confidence=10&overlap=0.01")


def test_broken_parameters_are_told_all_at_once(server) -> None:
    query = "api_key=test-key&confidence=x&format=image&labels=maybe&max_detections=2.5&overlap=&stroke=y&response_mask_format=png&who=me"
    response = requests.post(
        f"{server}/local/object-detection?{query}", files={"file": picture("two.jpg", "")}
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
    response = requests.post(url, files={"file": picture("two.jpg", task)})
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
    response = requests.post(url, files={"file": picture("two.jpg", "semantic-segmentation")})
    assert list(response.json()) == ["segmentation_mask", "class_map", "image"]


def test_classes_under_v1(server) -> None:
    url = f"{server}/v1/local/classification?api_key=test-key"
    body = requests.post(url, files={"file": picture("two.jpg", "")}).json()
    assert list(body) == ["inference_id", "time", "image", "predictions", "top", "confidence"]
    assert body["top"] == "espresso"
