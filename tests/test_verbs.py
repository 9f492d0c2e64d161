"""The verbs of the client: which request each sends, and what it makes of the response."""

from __future__ import annotations

import json

import pytest

import rfhosted
from support.scripted import Response

CAT = rfhosted.sample("cat")


def sent(scripted) -> dict:
    return json.loads(scripted.received[-1].body)


@pytest.fixture
def client(scripted):
    return rfhosted.Client("canary-key", base_url=scripted.url, retries=0)


def respond(scripted, *bodies: dict, **headers: str) -> None:
    responses = [Response(body=json.dumps(body).encode(), headers=headers) for body in bodies]
    scripted.respond(*responses)


def test_classify_ranks_names_by_similarity(client, scripted) -> None:
    respond(scripted, {"similarity": [0.21, 0.27], "time": 0.1})
    found = client.classify(CAT, ["a dog", "a cat"])
    assert [name for name, _ in found.ranked] == ["a cat", "a dog"]
    assert "%" not in found.summary()
    assert sent(scripted)["prompt"] == ["a dog", "a cat"]


def test_more_than_eight_labels_are_two_requests(client, scripted) -> None:
    many, one = {"similarity": [0.1] * 8, "time": 0.1}, {"similarity": [0.3], "time": 0.2}
    respond(scripted, many, one)
    found = client.classify(CAT, [f"label {i}" for i in range(9)])
    assert found.ranked[0][0] == "label 8"
    assert len(found.raw) == 2
    assert found.timing.exec == pytest.approx(0.3)
    assert any("2 requests" in note for note in found.notes)


def test_ask_without_a_prompt_is_a_caption(client, scripted) -> None:
    size = {"width": 451, "height": 300}
    respond(scripted, {"response": {"<CAPTION>": "A cat."}, "image": size, "time": 0.1})
    found = client.ask(CAT)
    assert found.text == "A cat."
    assert found.task is rfhosted.Task.TEXT
    assert sent(scripted)["prompt"] == "<CAPTION>"
    assert "canary" not in json.dumps(sent(scripted))


def test_objects_of_florence_2_have_no_confidence(client, scripted) -> None:
    objects = {"bboxes": [[10, 20, 110, 220]], "labels": ["cat"]}
    size = {"width": 451, "height": 300}
    respond(scripted, {"response": {"<OD>": objects}, "image": size, "time": 0.1})
    found = client.ask(CAT, task="object-detection")
    assert found.detections.confidence is None
    assert found.rows()[0]["confidence"] is None
    with pytest.raises(ValueError, match="confidence"):
        found.filter(confidence=0.5)
    assert found.draw().size


def test_read_joins_the_lines(client, scripted) -> None:
    line = {"x": 50, "y": 20, "width": 80, "height": 20, "confidence": 0.9, "class": "MIND THE GAP"}
    body = {"result": "MIND THE GAP", "predictions": [line | {"class_id": 0}], "time": 0.1}
    respond(scripted, body | {"image": {"width": 451, "height": 300}})
    found = client.read(CAT)
    assert found.text == "MIND THE GAP"
    assert list(found.detections.data["class_name"]) == ["MIND THE GAP"]


def test_credits_by_the_published_formula(monkeypatch, scripted) -> None:
    monkeypatch.setattr(rfhosted.hosted, "hosted_version", lambda url: (rfhosted.ApiVersion.V2, rfhosted.hosted.Region.US))  # fmt: skip
    client = rfhosted.Client("canary-key", base_url=scripted.url, retries=0)
    respond(scripted, {"similarity": [0.2], "time": 0.1}, **{"X-Processing-Time": "0.25"})
    assert client.classify(CAT, "a cat").credits == pytest.approx(0.25 / 500)
    respond(scripted, {"similarity": [0.2], "time": 0.01}, **{"X-Processing-Time": "0.05"})
    assert client.classify(CAT, "a cat").credits == pytest.approx(0.1 / 500)


def test_post_sends_json_to_any_route(client, scripted) -> None:
    respond(scripted, {"embeddings": [[0.5]]})
    assert client.post("/clip/embed_text", {"text": "a cat"}) == {"embeddings": [[0.5]]}
    assert scripted.received[-1].path == "/clip/embed_text"
    with pytest.raises(ValueError, match="route"):
        client.post("clip?api_key=1", {})


def test_v1_has_classify_detect_and_read_only() -> None:
    client = rfhosted.Client("canary-key", api_version="v1")
    for run in (lambda: client.segment(CAT, ["cat"]), lambda: client.ask(CAT)):
        with pytest.raises(rfhosted.UnsupportedError, match="V2 only"):
            run()
