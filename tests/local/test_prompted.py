"""The embedded server's routes of prompted models, through the client and over HTTP."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import requests

import rfhosted
import rfhosted.local
from rfhosted import hosted
from support.recordings import IMAGES

CAT = {"type": "base64", "value": base64.b64encode((IMAGES / "cat.jpg").read_bytes()).decode()}


@pytest.fixture(scope="module")
def server():
    with rfhosted.local.serve() as one:
        yield one.url


@pytest.fixture(scope="module")
def client(server):
    return rfhosted.Client(base_url=server)


def post(server: str, path: str, body: dict, **options) -> requests.Response:
    return requests.post(server + path, json=body, timeout=60, **options)


def test_names_are_found_by_the_detector(client) -> None:
    found = client.segment(rfhosted.sample("photo_wall"), ["cup", "cat"])
    assert {row["class_name"]: row["class_id"] for row in found.rows()} == {"cup": 0, "cat": 1}
    assert found.detections.mask is not None
    assert any("not SAM 3" in note for note in found.notes)
    boxes = client.detect(rfhosted.sample("photo_wall"), ["cat"], confidence=0.4)
    assert [row["class_name"] for row in boxes.rows()] == ["cat", "cat"]
    assert any("not YOLO-World" in note for note in boxes.notes)


@pytest.mark.parametrize("model", ["sam3", "sam2"])
@pytest.mark.parametrize(
    "prompt", [{"points": [(1500, 1600)]}, {"box": (1125, 1307, 1988, 1926)}], ids=str
)
def test_a_point_or_a_box_becomes_the_mask_of_what_is_there(client, model, prompt) -> None:
    found = client.segment(rfhosted.sample("photo_wall"), model=model, **prompt)
    (mask,) = found.detections.mask
    ys, xs = np.nonzero(mask)
    assert mask[1600, 1500]
    assert xs.min() > 1000
    assert xs.max() < 2100
    assert ys.min() > 1200
    assert mask.sum() > 200_000
    assert any("GrabCut" in note for note in found.notes)


def test_a_negative_point_is_left_out(client) -> None:
    points = [(300, 130), (300, 330, False)]
    found = client.segment(rfhosted.sample("coffee"), points=points)
    (mask,) = found.detections.mask
    assert mask[130, 300]
    assert not mask[330, 300]


def test_what_local_models_cannot_do_is_refused(client, server) -> None:
    with pytest.raises(rfhosted.ServiceError, match="80 classes, not SAM 3") as error:
        client.segment(rfhosted.sample("cat"), ["unicorn"])
    assert error.value.status == 501
    for path in ("/clip/compare", "/ocr/pp-ocr", "/infer/lmm"):
        body = {"image": CAT, "model_id": "florence-2-base", "prompt": "<CAPTION>"}
        response = post(server, path, body)
        assert response.status_code == 501
        assert "hosted API" in response.json()["message"]


def test_object_detection_by_the_route_of_florence_2(server) -> None:
    body = {"image": CAT, "model_id": "florence-2-base", "prompt": "<OD>", "max_new_tokens": 1024}
    found = post(server, "/infer/lmm", body).json()
    assert found["response"]["<OD>"]["labels"] == ["cat"]
    assert "not Florence-2" in found["derived"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompts": []},
        {"prompts": ["cat"]},
        {"prompts": [{"type": "text", "text": "cat"}] * 17},
        {"prompts": [{"type": "text", "text": "cat"}], "nms_iou_threshold": 2},
    ],
    ids=str,
)
def test_a_wrong_body_is_named(server, body) -> None:
    response = post(server, "/sam3/concept_segment", {"image": CAT} | body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][:2] == ["body", "prompts"] or "nms" in str(body)


def test_not_an_image(server) -> None:
    body = {"image": {"type": "base64", "value": "AAAA"}, "text": ["cat"]}
    response = post(server, "/yolo_world/infer", body)
    assert response.status_code == 400
    assert response.json()["message"].startswith("Could not load input image.")


def test_a_workspace_without_a_credit_plan(server) -> None:
    legacy = rfhosted.Client("legacy-workspace", base_url=server)
    with pytest.raises(rfhosted.PaymentRequiredError, match="plan"):
        legacy.segment(rfhosted.sample("cat"), ["cat"])


def test_v1_has_some_of_the_routes(server) -> None:
    body = {"image": CAT, "text": ["cat"]}
    assert post(server, "/v1/yolo_world/infer", body).json()["predictions"][0]["class"] == "cat"
    body = {"image": CAT, "prompts": [{"type": "text", "text": "cat"}]}
    assert post(server, "/v1/sam3/concept_segment", body).status_code == 404
    with pytest.raises(rfhosted.UnsupportedError, match="V2"):
        rfhosted.Client(api_version="v1").segment(rfhosted.sample("cat"), ["cat"])
    assert not hosted.PROMPTED_MODELS["sam3"].v1
