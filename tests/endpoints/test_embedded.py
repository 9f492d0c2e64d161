"""The embedded server of a process: its own key, one for each process, stopped in order."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import rfhosted
from rfhosted.endpoints import embedded
from support.recordings import IMAGES

CAT = (IMAGES / "cat.jpg").read_bytes()


def post(**options) -> requests.Response:
    address = f"{embedded.address()}/local/classification"
    return requests.post(address, files={"file": CAT}, **options)


@pytest.mark.parametrize("key", [None, "", "guess", "local"])
def test_requests_without_its_key_are_refused(key) -> None:
    assert post(params={"api_key": key} if key is not None else None).status_code == 401
    assert post(headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_the_client_sends_its_key() -> None:
    assert post(params={"api_key": embedded.key().reveal()}).ok
    assert rfhosted.Client().predict(IMAGES / "cat.jpg").task is rfhosted.Task.OBJECT_DETECTION


def test_a_users_key_never_goes_there(monkeypatch) -> None:
    client = rfhosted.Client("canary0key0of0nobody")
    keys = []
    send = client.transport.send
    monkeypatch.setattr(
        client.transport, "send", lambda request, key, **o: keys.append(key) or send(request, key, **o)
    )  # fmt: skip
    client.predict(IMAGES / "cat.jpg", "local/object-detection")
    assert keys == [embedded.key()]


def test_many_first_calls_start_one_server(monkeypatch) -> None:
    embedded._start.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        addresses = set(pool.map(lambda _: embedded.address(), range(8)))
    assert len(addresses) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_a_server_and_a_key_of_its_own() -> None:
    script = f"""
import os, rfhosted
from rfhosted.endpoints import embedded
rfhosted.predict({str(IMAGES / "cat.jpg")!r})
before = embedded.address(), embedded.key()
child = os.fork()
if child == 0:
    assert rfhosted.Client().predict({str(IMAGES / "cat.jpg")!r}).rows()
    assert embedded.address() != before[0] and embedded.key() != before[1]
    os._exit(7)  # as multiprocessing does; onnxruntime aborts in a child that ends otherwise
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert rfhosted.predict({str(IMAGES / "cat.jpg")!r}).rows()
"""
    done = subprocess.run(
        # Python 3.12 warns of any fork beside threads.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", ["uvicorn", "onnxruntime", "pydantic"])
def test_without_the_extra_the_error_says_what_to_install(missing) -> None:
    script = f"""
import sys; sys.modules[{missing!r}] = None
import rfhosted
try:
    rfhosted.Client().predict({str(IMAGES / "cat.jpg")!r})
except rfhosted.UnsupportedError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert missing in done.stdout
    assert "rfhosted[local]" in done.stdout


def test_a_note_of_the_server_is_shown() -> None:
    """At a low confidence more boxes are detected than the server makes masks for."""
    options = {"model": "local/instance-segmentation", "confidence": 0.01, "overlap": 0.9}
    prediction = rfhosted.Client().predict(IMAGES / "coffee.jpg", **options)
    assert len(prediction.rows()) == 50
    assert any("best 50 of" in note for note in prediction.notes)
