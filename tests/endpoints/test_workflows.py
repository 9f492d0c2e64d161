"""Workflows: every recorded run is read, or becomes the error that its status has."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

import rfhosted
from rfhosted.endpoints import workflows
from rfhosted.prediction import DetectionPrediction, Prediction
from support.recordings import RECORDINGS, Recording
from support.scripted import Response

FOLDER = RECORDINGS / "workflows"
ALL = [
    Recording(path.relative_to(FOLDER).with_suffix("").as_posix(), json.loads(path.read_text()))
    for path in sorted(FOLDER.rglob("*.json"))
]
BY_NAME = {recording.name: recording for recording in ALL}
RUNS = [
    recording
    for recording in ALL
    if recording.data.get("response")
    and "describe" not in recording.name
    and ("/workflows/run" in recording.request["target"] or "/workflows/" in recording.request["target"])
    and recording.request["method"] == "POST"
]  # fmt: skip
PICTURE = Image.new("RGB", (96, 64), "white")
INTERFACE = {"inputs": {"image": ["image"], "confidence": ["float_zero_to_one"]}, "outputs": {}}


def interface(outputs=()) -> Response:
    body = INTERFACE | {"outputs": {key: ["*"] for key in outputs}}
    return Response(json.dumps(body).encode())


def run(scripted, recording: Recording, image=PICTURE, **options):
    client = rfhosted.Client("canary-key", base_url=scripted.url, retries=0)
    headers = {
        name: value
        for name, value in recording.headers.items()
        if name.lower() not in ("content-length", "transfer-encoding", "date", "server")
    }
    scripted.respond(interface(), Response(recording.body, recording.status, headers))
    return client.run_workflow("acme/detect-and-count", image, **options)


@pytest.mark.parametrize("recording", RUNS, ids=lambda recording: recording.name)
def test_every_recorded_run_is_read_or_an_error(scripted, recording) -> None:
    single = recording.status == 200 and len(json.loads(recording.body).get("outputs", [])) == 1
    if single:
        result = run(scripted, recording)
        assert list(result) == list(json.loads(recording.body)["outputs"][0])
        assert "canary" not in repr(result)
        assert "canary" not in result._repr_html_()
        return
    with pytest.raises(rfhosted.HostedError) as error:
        run(scripted, recording)
    assert error.value.status == recording.status
    assert "Traceback" not in str(error.value)
    assert len(str(error.value)) < 1500


def test_outputs_by_their_shape(scripted) -> None:
    crops = run(scripted, BY_NAME["workflows-outputs/crops"])
    assert isinstance(crops["predictions"], DetectionPrediction)
    assert all(isinstance(crop, Image.Image) for crop in crops["crops"])
    assert len(crops["crops"]) == len(crops["predictions"])
    kinds = run(scripted, BY_NAME["workflows-outputs/classification"])
    assert any(isinstance(value, Prediction) for value in kinds.values())


def test_objects_on_crops_stand_where_the_server_moved_them(scripted) -> None:
    """The recording has the same objects in pixels of the crops and of the image."""
    result = run(scripted, BY_NAME["workflows-outputs/nested-detections-own-and-parent-coordinates"])  # fmt: skip
    assert len(result["inner_own"]) == len(result["inner_parent"]) == 2
    for own, parent in zip(result["inner_own"], result["inner_parent"], strict=True):
        assert len(own) > 0
        assert np.allclose(own.detections.xyxy, parent.detections.xyxy)


def test_coordinates_are_scaled_back(scripted) -> None:
    small = run(scripted, BY_NAME["workflows-outputs/object-detection"])
    large = run(scripted, BY_NAME["workflows-outputs/object-detection"], PICTURE.resize((192, 128)), image_size=96)  # fmt: skip
    (one,), (other,) = list(small.values()), list(large.values())
    assert np.allclose(one.detections.xyxy * 2, other.detections.xyxy)
    assert large.upload.size == (96, 64)


def test_what_is_sent(scripted) -> None:
    recording = BY_NAME["workflows-outputs/object-detection"]
    run(scripted, recording, confidence=0.3)
    described, ran = scripted.received
    assert described.path == "/acme/workflows/detect-and-count/describe_interface"
    assert ran.path == "/acme/workflows/detect-and-count"
    assert ran.headers["authorization"] == "Bearer canary-key"
    body = json.loads(ran.body)
    assert body["inputs"]["confidence"] == 0.3
    assert body["inputs"]["image"]["type"] == "base64"
    assert body["use_cache"] is True
    assert "canary" not in ran.body.decode()


def test_wrong_names_are_refused(scripted) -> None:
    recording = BY_NAME["workflows-outputs/object-detection"]
    with pytest.raises(ValueError, match="Did you mean 'confidence'"):
        run(scripted, recording, confidense=0.3)
    with pytest.raises(ValueError, match="output"):
        run(scripted, recording, outputs=["prediction"])


def test_only_some_outputs(scripted) -> None:
    client = rfhosted.Client("canary-key", base_url=scripted.url, retries=0)
    scripted.respond(interface(["count", "drawn"]), Response(b'{"outputs": [{"count": 3}]}'))
    result = client.run_workflow("acme/workflows/x", PICTURE, outputs=["count"])
    assert dict(result) == {"count": 3}
    assert json.loads(scripted.received[-1].body)["excluded_fields"] == ["drawn"]
    again = client.run_workflow("acme/x", [PICTURE, PICTURE], outputs="count")
    assert [dict(one) for one in again] == [{"count": 3}] * 2
    assert len(scripted.received) == 4  # described once


def test_an_inline_definition_and_no_image(scripted) -> None:
    client = rfhosted.Client("canary-key", base_url=scripted.url, retries=0)
    scripted.respond(interface(), Response(b'{"outputs": [{"text": "hello"}]}'))
    result = client.run_workflow({"version": "1.0", "steps": []})
    assert result["text"] == "hello"
    assert result.upload is None
    assert scripted.received[-1].path == "/workflows/run"
    assert json.loads(scripted.received[-1].body)["specification"]["version"] == "1.0"


def test_the_description(scripted) -> None:
    recording = BY_NAME["workflows-service/describe-interface-parameters"]
    client = rfhosted.Client("canary-key", base_url=scripted.url, retries=0)
    scripted.respond(Response(recording.body))
    described = client.describe_workflow("acme/x")
    assert described["inputs"]["image"] == ("image",)
    assert described["inputs"]["confidence"] == ("float_zero_to_one",)
    assert described["outputs"] == {"predictions": ("object_detection_prediction",)}


@pytest.mark.parametrize(
    "text",
    [
        "acme/detect-and-count",
        "acme/workflows/detect-and-count",
        "https://app.roboflow.com/acme/workflows/edit/detect-and-count?x=1",
        " app.roboflow.com/acme/workflows/detect-and-count/ ",
    ],
)
def test_how_a_workflow_is_named(text) -> None:
    assert workflows.find(text).path == "/acme/workflows/detect-and-count"


@pytest.mark.parametrize("text", ["", "acme", "a/b/c/d", "acme/x y", "../x"])
def test_what_is_no_workflow(text) -> None:
    with pytest.raises(ValueError, match="workspace/workflow-id"):
        workflows.find(text)


def test_no_workflow_runs_locally() -> None:
    with pytest.raises(rfhosted.UnsupportedError, match="no workflows"):
        rfhosted.Client().run_workflow("local/detect", PICTURE)


def test_model_steps_and_credits(scripted) -> None:
    (name,) = [n for n in BY_NAME if n.endswith("remote-steps/detect-crop-classify-draw-again")]
    result = run(scripted, BY_NAME[name])
    assert next(model for model, _ in result.models) == "blob-od/1"
    assert isinstance(result, Mapping)
    assert "model steps" in repr(result)
