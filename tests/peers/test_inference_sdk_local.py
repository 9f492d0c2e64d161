"""The client of inference-sdk sends requests to the embedded server, and reads its responses.

In an environment with both. CI sets RFHOSTED_PEER, so that a missing peer fails there.
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from PIL import Image

if "RFHOSTED_PEER" not in os.environ:
    pytest.importorskip("inference_sdk")

from inference_sdk import InferenceConfiguration, InferenceHTTPClient
from inference_sdk.http.errors import HTTPCallErrorError

from rfhosted.local import serve

IMAGES = Path(__file__).parents[1] / "recordings" / "images"
KEY = "test-key"

# The peer warns of its own future; what is tested is what it does today.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def server():
    with serve(key=KEY) as one:
        yield one.url


@pytest.fixture(params=["", "/v1"], ids=["v2", "v1"])
def client(server, request):
    peer = InferenceHTTPClient(api_url=server + request.param, api_key=KEY)
    peer.select_api_v0()
    peer.is_v1 = bool(request.param)
    return peer


def infer(client, task: str, name: str, **configuration):
    """The response for a path and for base64, which must be the same."""
    path = IMAGES / f"{name}.jpg"
    inputs = [str(path), base64.b64encode(path.read_bytes()).decode()]
    with client.use_configuration(InferenceConfiguration(**configuration)):
        one, other = (client.infer(given, model_id=f"local/{task}") for given in inputs)
    assert one["image"] == other["image"]
    return one


def test_object_detection(client) -> None:
    body = infer(client, "object-detection", "coffee")
    assert [item["class"] for item in body["predictions"]] == ["cup", "dining table"]
    if not client.is_v1:  # the older shape has no class_id, which supervision wants
        found = sv.Detections.from_inference(body)
        assert found["class_name"].tolist() == ["cup", "dining table"]
        assert found.class_id.tolist() == [41, 60]
    sure = infer(client, "object-detection", "coffee", confidence_threshold=0.9)
    assert [item["class"] for item in sure["predictions"]] == ["cup"]


def test_classification(client) -> None:
    body = infer(client, "classification", "coffee", confidence_threshold=0.01)
    assert (body["top"], body["predictions"][0]["class"]) == ("espresso", "espresso")
    assert len(body["predictions"]) > 1


def test_instance_segmentation(client) -> None:
    body = infer(client, "instance-segmentation", "cat")
    [item] = body["predictions"]
    assert item["class"] == "cat"
    assert len(item["points"]) > 50
    as_rle = infer(client, "instance-segmentation", "cat", response_mask_format="rle")
    if client.is_v1:
        assert as_rle["predictions"][0]["points"] == item["points"]
        return
    outlined, exact = sv.Detections.from_inference(body), sv.Detections.from_inference(as_rle)
    both, either = (outlined.mask & exact.mask).sum(), (outlined.mask | exact.mask).sum()
    assert both / either > 0.9


def test_keypoint_detection(client) -> None:
    body = infer(client, "keypoint-detection", "astronaut")
    [item] = body["predictions"]
    assert item["class"] == "person"
    name = "class_name" if client.is_v1 else "class"
    assert "nose" in [point[name] for point in item["keypoints"]]
    if not client.is_v1:
        found = sv.KeyPoints.from_inference(body)
        assert found.xy.shape[0] == 1


def test_semantic_segmentation(client) -> None:
    body = infer(client, "semantic-segmentation", "cat")
    found = body if client.is_v1 else body["predictions"]
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["segmentation_mask"]))))
    assert mask.shape == (body["image"]["height"], body["image"]["width"])
    assert found["class_map"][str(np.bincount(mask.ravel()).argmax())] == "cat"


def test_images_drawn_by_the_server(client) -> None:
    with client.use_configuration(InferenceConfiguration(format="image", visualize_labels=True)):
        body = client.infer(str(IMAGES / "coffee.jpg"), model_id="local/object-detection")
    assert base64.b64decode(body["visualization"])[:2] == b"\xff\xd8"


def test_wrong_keys_and_models_are_the_peers_errors(client, server) -> None:
    with pytest.raises(HTTPCallErrorError) as missing:
        client.infer(str(IMAGES / "cat.jpg"), model_id="no-such/1")
    assert missing.value.status_code == 404
    stranger = InferenceHTTPClient(api_url=server, api_key="wrong")
    stranger.select_api_v0()
    with pytest.raises(HTTPCallErrorError) as refused:
        stranger.infer(str(IMAGES / "cat.jpg"), model_id="local/classification")
    assert refused.value.status_code == 401


def test_the_key_in_a_header(server) -> None:
    peer = InferenceHTTPClient(api_url=server, api_key=KEY)
    peer.select_api_v0()
    with peer.use_configuration(InferenceConfiguration(api_key_transport="header")):
        assert peer.infer(str(IMAGES / "cat.jpg"), model_id="local/object-detection")["predictions"]
