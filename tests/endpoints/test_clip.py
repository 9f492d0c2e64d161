"""CLIP, against recordings of the real server software."""

from __future__ import annotations

import json

import pytest

from rfhosted.endpoints import clip
from rfhosted.endpoints.prompted import Scale
from rfhosted.errors import UnexpectedAnswerError
from rfhosted.hosted import Task
from support.recordings import RECORDINGS

SCALE = Scale((640, 480), (640, 480))
IMAGE = {"type": "base64", "value": "…"}


def test_a_recorded_comparison():
    data = json.loads((RECORDINGS / "prompted/clip/compare-two.json").read_text())
    sent = data["request"]["body"]["json"]
    call = clip.call(["a red block", "a dog"])
    (body,) = call.bodies(sent["subject"], SCALE)
    assert body == sent | {"clip_version_id": "ViT-B-16"}
    parsed = call.read([json.loads(data["response"]["body_text"])], SCALE)
    assert parsed.task is Task.CLASSIFICATION
    assert parsed.output.similarity
    assert [s.class_name for s in parsed.output.ranked] == ["a red block", "a dog"]
    assert parsed.output.ranked[0].confidence == pytest.approx(0.594, abs=1e-3)


def test_nine_labels_are_two_requests_and_one_ranking():
    names = [f"label {i}" for i in range(9)]
    call = clip.call(names)
    bodies = call.bodies(IMAGE, SCALE)
    assert [len(body["prompt"]) for body in bodies] == [8, 1]
    values = [-0.2, 0.1, 0.2, 0.3, 0.0, 0.05, 0.15, 0.25, 0.4]
    responses = [
        {"similarity": values[:8], "time": 0.5},
        {"similarity": values[8:], "time": 0.25},
    ]
    parsed = call.read(responses, SCALE)
    assert parsed.exec == 0.75
    assert [s.class_id for s in parsed.output.ranked] == [8, 3, 7, 2, 6, 1, 5, 4, 0]
    assert parsed.output.ranked[-1].confidence == -0.2


@pytest.mark.parametrize("names", [[], "", ["a", ""], ["a", "a"]])
def test_no_names_are_refused(names):
    with pytest.raises(ValueError, match="names"):
        clip.call(names)


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="CLIP"):
        clip.call(["a"], model="sam3")


@pytest.mark.parametrize(
    "raw", [None, [], {}, {"similarity": [0.1, 0.2]}, {"similarity": [2]}, {"similarity": ["x"]}]
)
def test_broken_responses_are_one_kind_of_error(raw):
    with pytest.raises(UnexpectedAnswerError):
        clip.call("a").read([raw], SCALE)
