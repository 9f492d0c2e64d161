"""What leaves the explorer: code that gives the result, and no API key."""

from __future__ import annotations

import gc
import json
import pickle
import types
from pathlib import Path

import pytest

from rfhosted import AuthenticationError, HostedError, local, sample
from rfhosted.explorer import Explorer
from rfhosted.explorer.code_export import LOCAL_ADDRESS
from rfhosted.hosted import IMAGE_TASKS
from rfhosted.keys import ApiKey
from support.explored import FOUND, explored, response
from support.exported import SAMPLES, lasting, lasting_part, needs_curl, python, shell
from support.jobs import Threads
from support.leaks import chain
from support.recordings import IMAGES
from support.scripted import Response

CANARY = "CANARYzy98XW76vu54TS32"


@pytest.fixture(scope="module")
def server():
    with local.serve() as running:
        yield running


@needs_curl
@pytest.mark.parametrize(
    "kind", ["sample", *(pytest.param(k, marks=pytest.mark.slow) for k in ("path", "pixels"))]
)
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_the_code_gives_the_result(task, version, kind, server):
    state = explored(model=None, picture=SAMPLES[task]).state
    if kind == "path":
        Path("my photo.jpg").write_bytes(sample(SAMPLES[task]).read_bytes())
        state.choose("my photo.jpg")
    elif kind == "pixels":
        pixels = state.source.image.full
        state.choose(pixels)
        pixels.save("image.png")  # as the code says
    size = None if kind == "path" else 256  # the file as it is, and one that is made first
    state.change(task=task, api_version=version, image_size=size, overlap=0.5)
    state.show(confidence=0.3, keypoint_confidence=0.5)
    state.run()
    assert state.problem is None
    result, whole = state.result, state.response.prediction
    assert result.rows()
    by_python = python(state.code[0])
    assert lasting(by_python) == lasting(whole)
    assert by_python.rows() == result.rows()
    assert by_python.confidence == result.confidence
    assert by_python.upload.size == result.upload.size
    by_curl = shell(state.code[1].replace(LOCAL_ADDRESS, server.url))
    assert lasting_part(json.loads(by_curl)) == lasting(whole)


@pytest.mark.parametrize("task", IMAGE_TASKS)
def test_the_code_is_of_the_classes_that_are_shown(task):
    state = explored(model=None, picture=SAMPLES[task]).state
    state.change(task=task)
    state.run()
    state.show(classes=frozenset(state.class_names[:1]))
    assert python(state.code[0]).rows() == state.result.rows()
    assert {row["class_name"] for row in state.result.rows()} == set(state.class_names[:1])


def test_the_code_names_the_model_that_was_used():
    state = explored(model=None).state
    state.run()
    assert '"local/object-detection"' in state.code[0]
    before = state.code
    state.set_key("a-key")  # with which the default would be another
    assert state.code == before


def test_the_code_names_the_server_that_was_used(scripted):
    state = explored(scripted, api_key=CANARY).state
    state.run()
    code, curl = state.code
    assert f'base_url="{scripted.url}"' in code
    assert "$ROBOFLOW_API_KEY" in curl
    assert CANARY not in code + curl
    assert python(code).rows() == state.result.rows()
    first, second = scripted.received
    assert (first.path, first.body) == (second.path, second.body)


def reachable_texts(thing):
    """Every text that can be reached from an object, except inside an ApiKey."""
    seen, queue, texts = set(), [thing], []
    skipped = (type, types.ModuleType, types.FrameType, types.CodeType, ApiKey)
    while queue:
        item = queue.pop()
        if id(item) in seen or isinstance(item, skipped):
            continue
        seen.add(id(item))
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, (bytes, bytearray, memoryview)):
            texts.append(bytes(item).decode("latin-1"))
        elif isinstance(item, types.FunctionType):
            queue += [item.__closure__, item.__defaults__, item.__kwdefaults__]
        elif isinstance(item, BaseException):
            texts.append(chain(item))
            queue += [item.args, vars(item)]
        else:
            queue += gc.get_referents(item)
    return texts


def test_the_search_finds_a_key():
    state = explored(model=None).state
    state.notice = f"the key is {CANARY}"
    assert any(CANARY in text for text in reachable_texts(state))


def test_only_the_client_keeps_the_key(scripted):
    secret = str(CANARY)
    state = explored(scripted, spawn=(threads := Threads())).state
    explorer = Explorer(state)
    state.set_key(secret)
    assert state.client.has_key
    scripted.respond(response(*FOUND), Response(f'{{"message": "bad key {secret}"}}'.encode(), 401))
    state.run()
    state.wait(20)
    assert scripted.received[0].query["api_key"] == secret
    state.run()
    state.run_sweep((100,))
    state.wait(20)
    threads.join()
    assert isinstance(state.problem, AuthenticationError)
    assert "***" in str(state.problem)
    texts = [repr(state), repr(explorer), repr(state.client), repr(state.response), *state.code]
    texts += [repr(vars(state)), chain(state.problem), state.notice]
    texts += [pickle.dumps(x).decode("latin-1") for x in (state.result, state.problem)]
    assert CANARY not in "".join(texts)
    assert not any(CANARY in text for text in reachable_texts(state))
    assert CANARY not in pickle.dumps(state.response).decode("latin-1")
    for holder in (state, explorer):
        with pytest.raises((TypeError, AttributeError)) as caught:
            pickle.dumps(holder)
        assert CANARY not in str(caught.value)


def test_a_malformed_key_is_not_kept(scripted):
    from rfhosted.explorer.widgets import guard

    state = explored(scripted).state
    guard(state, state.set_key)(f"{CANARY} and more")
    assert isinstance(state.problem, AuthenticationError)
    assert not any(CANARY in text for text in reachable_texts(state))


def test_the_five_tasks_run_locally():
    state = explored(model=None, picture="cat").state
    for task in IMAGE_TASKS:
        state.change(task=task)
        state.choose_sample(SAMPLES[task])
        for version in ("v1", "v2"):
            state.change(api_version=version)
            state.run()
            assert state.problem is None
            assert (state.result.task, state.result.api_version) == (task, version)
            assert state.result.rows()
            assert state.outdated is None
            assert state.plan.upload == state.response.prepared.upload
        state.pin()
        state.change(image_size=200)
        state.run()
        assert 0 <= state.comparison.agreement <= 1
        state.change(image_size=None)


def test_a_broken_upload_is_reported(scripted):
    state = explored(scripted).state
    state.choose((IMAGES / "truncated.jpg").read_bytes(), "mine.jpg")
    assert isinstance(state.problem, HostedError)
    assert "truncated" in str(state.problem)
