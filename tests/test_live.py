"""Questions to the hosted API itself: what only it can tell, in seven small requests.

They run only where ROBOFLOW_API_KEY is set, and spend its credits: at most six billable requests, and one
that is too large to be answered. The output tells what was spent and what was learnt. Name a semantic
segmentation model that v1 serves in ROBOFLOW_LIVE_SEMANTIC ("project/3") to have segment.roboflow.com asked
about that one.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

import rfhosted
from rfhosted.client import Client
from rfhosted.endpoints.image_tasks import parse
from rfhosted.errors import (
    AuthenticationError,
    HostedError,
    ModelNotFoundError,
    PermissionDeniedError,
    TooLargeError,
)
from rfhosted.hosted import REQUEST_LIMITS
from rfhosted.keys import find_key
from rfhosted.transport.session import Transport

pytestmark = [
    pytest.mark.live,
    # The hosts' addresses change from one question to the next: no list of them could be allowed.
    pytest.mark.enable_socket,
    pytest.mark.skipif(
        not os.environ.get("ROBOFLOW_API_KEY"), reason="ROBOFLOW_API_KEY is not set"
    ),
]
SEMANTIC = os.environ.get("ROBOFLOW_LIVE_SEMANTIC", "yolo26n-sem-1024")
TIMES = ("x-processing-time", "x-model-id", "x-model-cold-start")


class Hosted:
    """The hosted API, asked without retries; counts what is spent and keeps what is learnt."""

    def __init__(self) -> None:
        self.client, self.transport = Client(), Transport()
        self.sent, self.learnt = 0, []

    def prepare(self, model, version, **options):
        call = rfhosted.Call(model, api_version=version, image_size=320)
        call = replace(call, **options)
        return self.client.prepare(rfhosted.sample("cat"), call, ask_platform=False)

    def send(self, prepared):
        self.sent += 1
        return self.transport.send(prepared.request, find_key(), timeout=60, retries=0)

    def learn(self, text: str) -> None:
        self.learnt.append(text)


@pytest.fixture(scope="module")
def hosted(request):
    asked = Hosted()
    yield asked
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nlive: {asked.sent} requests sent, each answered one billable")
        print(*(f"live: {line}" for line in asked.learnt), sep="\n")


def understood(prepared, reply):
    """The answer as (task, parsed)."""
    raw = json.loads(reply.body)
    route = prepared.route
    return parse(raw, route.task, picture=prepared.source_image.size, sent=prepared.upload.size)


def has_cat(found) -> bool:
    return any(item.class_name == "cat" for item in found)


def test_v2_takes_the_key_in_the_header_and_tells_its_time(hosted) -> None:
    prepared = hosted.prepare("yolov8n-640", "v2")
    assert prepared.request.key_in_header
    reply = hosted.send(prepared)
    assert has_cat(understood(prepared, reply)[1])
    assert 0 < float(reply.headers["x-processing-time"]) < reply.e2e
    hosted.learn(f"V2 tells {told(reply)}")


def test_v1_takes_the_key_in_the_query(hosted) -> None:
    prepared = hosted.prepare("yolov8n-640", "v1")
    assert not prepared.request.key_in_header
    reply = hosted.send(prepared)
    assert has_cat(understood(prepared, reply)[1])
    assert json.loads(reply.body)["time"] > 0
    hosted.learn(f"v1 tells {told(reply)}")


def told(reply) -> str:
    return ", ".join(f"{name} {reply.headers.get(name, 'not')}" for name in TIMES)


def test_v1_and_a_key_in_the_header(hosted) -> None:
    prepared = hosted.prepare("yolov8n-640", "v1")
    in_header = replace(prepared, request=replace(prepared.request, key_in_header=True))
    try:
        reply = hosted.send(in_header)
    except (AuthenticationError, PermissionDeniedError) as error:
        hosted.learn(f"v1 does not read the header: HTTP {error.status}, {error.server_message!r}")
        return
    assert has_cat(understood(prepared, reply)[1])
    hosted.learn("v1 reads the header: Route.key_in_header can be true there, too")


def test_v1_and_masks_as_run_lengths(hosted) -> None:
    prepared = hosted.prepare("yolov8n-seg-640", "v1")
    assert "response_mask_format" not in prepared.request.params
    params = prepared.request.params | {"response_mask_format": "rle"}
    prepared = replace(prepared, request=replace(prepared.request, params=params))
    reply = hosted.send(prepared)
    _, found = understood(prepared, reply)
    assert has_cat(found)
    assert all(item.mask is not None for item in found)
    as_rle = "rle" in json.loads(reply.body)["predictions"][0]
    hosted.learn(f"v1 answers response_mask_format=rle with {'RLE' if as_rle else 'polygons'}")


def test_segment_roboflow_com(hosted) -> None:
    """Its shape, and whether 0.9 and 90 are one threshold to it."""
    prepared = hosted.prepare(SEMANTIC, "v1", task="semantic-segmentation", confidence=0.9)
    assert prepared.request.params["confidence"] == "90"
    fraction = replace(prepared.request, params=prepared.request.params | {"confidence": "0.9"})
    try:
        replies = [hosted.send(each) for each in (prepared, replace(prepared, request=fraction))]
    except (ModelNotFoundError, PermissionDeniedError) as error:
        hosted.learn(f"segment.roboflow.com does not serve {SEMANTIC}: HTTP {error.status}")
        pytest.skip("set ROBOFLOW_LIVE_SEMANTIC to a model that v1 serves")
    (_, percent), (_, other) = (understood(prepared, reply) for reply in replies)
    assert percent.class_ids.ndim == 2
    assert np.isin(percent.class_ids, [*percent.names, 255]).all()
    raw = json.loads(replies[0].body)
    hosted.learn(f"segment.roboflow.com answers {sorted(raw)}")
    same = np.array_equal(percent.class_ids, other.class_ids)
    hosted.learn(f"to segment.roboflow.com 90 and 0.9 are {'the same' if same else 'different'}")


def test_a_request_over_the_limit_of_v1(hosted) -> None:
    prepared = hosted.prepare("yolov8n-640", "v1")
    body = prepared.request.body + bytes(REQUEST_LIMITS["v1"] + 1_000_000)
    prepared = replace(prepared, request=replace(prepared.request, body=body))
    with pytest.raises(HostedError) as caught:
        hosted.send(prepared)
    hosted.learn(f"v1 answers 6 MB: HTTP {caught.value.status}, {caught.value.server_message!r}")
    assert isinstance(caught.value, TooLargeError)
