"""A canary key, set in every way that a key can be set, is found nowhere."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from rfhosted import Client, HostedError
from rfhosted.keys import _colab_key
from support.leaks import chain, frames
from support.recordings import IMAGES
from support.scripted import Response

CANARY = "CANARYab12CD34ef56GH78"
ESCAPED = "".join(f"\\u{ord(c):04x}" for c in CANARY)  # as JSON may have it
ENCODED = base64.b64encode(CANARY.encode()).decode()
WAYS = ("argument", "environment", "dotenv", "colab")


@pytest.fixture(params=WAYS)
def keyed(request, monkeypatch, tmp_path):
    """Makes clients that have the canary."""
    options = {}
    if request.param == "argument":
        options["api_key"] = CANARY
    elif request.param == "environment":
        monkeypatch.setenv("ROBOFLOW_API_KEY", f" {CANARY}\n")
    elif request.param == "dotenv":
        (tmp_path / ".env").write_text(f"A=1\nexport ROBOFLOW_API_KEY='{CANARY}' # mine\n")
    else:
        module = type(sys)("google.colab")
        module.userdata = type("userdata", (), {"get": staticmethod(lambda name: CANARY)})
        monkeypatch.setitem(sys.modules, "google", type(sys)("google"))
        monkeypatch.setitem(sys.modules, "google.colab", module)
        _colab_key.cache_clear()

    def make(**more) -> Client:
        return Client(**options, **more)

    yield make
    _colab_key.cache_clear()


def test_the_key_arrives(scripted, keyed) -> None:
    keyed(base_url=scripted.url).predict(IMAGES / "one.jpg", "a/1")
    assert scripted.received[0].query["api_key"] == CANARY


TROUBLE = {
    "rejected": [Response(f'{{"message": "bad key {CANARY}"}}'.encode(), 401)],
    "failed": [Response(f"<p>{CANARY}</p>".encode(), 500)],
    "escaped": [Response(f'{{"message": "bad key {ESCAPED}"}}'.encode(), 401)],
    "encoded": [Response(f"log in at /?q={ENCODED}".encode(), 403)],
    "in a header": [Response(b"{}", 404, {"x-original-url": f"/a/1?api_key={CANARY}"})],
    "redirected": [Response(b"", 307, {"location": f"/login?api_key={CANARY}"})],
    "a login page": [Response(f"<html>Log in to see /a/1?api_key={CANARY}".encode())],
    "another shape": [Response(f'{{"debug": "{CANARY}"}}'.encode())],
    "cut off": [Response(b"x" * 100, cut=50)],
    "closed": [Response(status=0)],
    "late": [Response(delay=1.5)],
    "no json": [Response(b"<html>")],
    "no shape": [Response(b"{}")],
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("trouble", TROUBLE)
def test_errors_do_not_show_it(scripted, keyed, caplog, capsys, trouble, version) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.respond(*TROUBLE[trouble])
    client = keyed(base_url=scripted.url, api_version=version, retries=1, timeout=0.7)
    with warnings.catch_warnings(record=True) as warned, pytest.raises(HostedError) as caught:  # noqa: PT012 - one call
        warnings.simplefilter("always")
        client.predict(IMAGES / "one.jpg", "a/1")
    shown = chain(caught.value) + caplog.text + "".join(str(w.message) for w in warned)
    shown += "".join(capsys.readouterr()) + pickle.dumps(caught.value).decode("latin-1")
    shown += frames(caught.value)
    assert not any(form in shown for form in (CANARY, ESCAPED, ENCODED[:-4]))
    assert any(r.name == "urllib3.connectionpool" for r in caplog.records)  # it was listened to


def test_an_unreachable_server_does_not_either(keyed, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(HostedError) as caught:
        keyed(base_url="http://127.0.0.1:9", retries=0).predict(IMAGES / "one.jpg", "a/1")
    assert CANARY not in chain(caught.value) + caplog.text + frames(caught.value)


class Alarm(BaseException):
    """As a handler of a signal may raise it."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, Alarm])
@pytest.mark.parametrize("where", ["response", "body"])
def test_an_interrupt_does_not_show_it(scripted, keyed, kind, where) -> None:
    """As the stop button of a notebook does it, while a request is under way."""

    def interrupt(number, frame) -> None:
        raise kind

    scripted.respond(Response(delay=60) if where == "response" else Response(b"x" * 999, drip=1))
    client = keyed(base_url=scripted.url, retries=0)
    before = signal.signal(signal.SIGINT, interrupt)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(kind) as caught:
            client.predict(IMAGES / "one.jpg", "a/1")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert scripted.received
    assert CANARY not in chain(caught.value) + frames(caught.value)


def test_results_do_not_show_it(scripted, keyed) -> None:
    client = keyed(base_url=scripted.url)
    box = {"x": 5, "y": 5, "width": 2, "height": 1, "confidence": 0.9, "class": f"a {CANARY}"}
    body = {"predictions": [box], "debug": [CANARY, {CANARY: 1}], "escaped": "ESCAPED"}
    scripted.respond(Response(json.dumps(body).replace("ESCAPED", ESCAPED).encode()))
    prediction = client.predict(IMAGES / "one.jpg", "a/1")
    assert prediction.rows()[0]["class_name"] == "a ***"
    assert prediction.raw["debug"] == ["***", {"***": 1}]
    assert prediction.raw["escaped"] == "***"
    shown = [
        repr(client),
        str(client),
        repr(vars(client)),
        repr(prediction),
        prediction._repr_html_(),
    ]
    shown += [repr(prediction.raw), repr(prediction.upload), repr(prediction.timing)]
    shown.append(pickle.dumps(prediction).decode("latin-1"))
    assert CANARY not in "".join(shown)
    assert CANARY not in pickle.dumps(client).decode("latin-1")
    with pytest.raises(TypeError) as caught:
        pickle.dumps(client._key)
    assert CANARY not in str(caught.value) + frames(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"region": "mars"},
        {"timeout": -1},
        {"retries": "x"},
        {"api_version": "v1", "region": "eu"},
        {"base_url": f"http://host?api_key={CANARY}"},
        {"base_url": f"http://:{CANARY}@host"},
        {"base_url": f"http://{CANARY}@host"},
        {"base_url": f"http://host/#{CANARY}"},
        {"base_url": f"{CANARY}"},
        {"base_url": f"http://[{CANARY}"},
        {"base_url": f"http://host:{CANARY}"},
        {"api_key": f"{CANARY} {CANARY}"},
        {"api_key": f"{CANARY}\u00e9"},
        {"api_key": [CANARY]},
    ],
    ids=range(14),
)
@pytest.mark.parametrize("how", ["new", "replaced"])
def test_bad_arguments_do_not_show_it(bad, how) -> None:
    make = Client if how == "new" else Client("another").replace
    with pytest.raises((ValueError, TypeError, HostedError)) as caught:
        make(**{"api_key": CANARY} | bad)
    assert CANARY not in str(caught.value) + repr(vars(caught.value)) + frames(caught.value)


@pytest.mark.parametrize("place", ["environment", "dotenv"])
def test_a_bad_key_that_was_found_is_not_shown(monkeypatch, tmp_path, place) -> None:
    if place == "environment":
        monkeypatch.setenv("ROBOFLOW_API_KEY", f"{CANARY} x")
    else:
        (tmp_path / ".env").write_text(f"ROBOFLOW_API_KEY='{CANARY} x'")
    with pytest.raises(HostedError) as caught:
        Client()
    assert CANARY not in chain(caught.value) + frames(caught.value)


def test_the_explorer_does_not_save_it(scripted) -> None:
    from ipywidgets.embed import dependency_state

    import rfhosted

    body = {"predictions": [], "debug": CANARY}
    scripted.respond(Response(json.dumps(body).encode()))
    client = Client(CANARY, base_url=scripted.url)
    explorer = rfhosted.explore(IMAGES / "one.jpg", client=client)
    panel = explorer.panel
    explorer.state.change(model="a/1", task="object-detection")
    explorer.state.run()
    explorer.state.wait(60)
    for tab in range(len(panel.results.tabs.children)):
        panel.results.tabs.selected_index = tab
    assert explorer.result.raw["debug"] == "***"
    assert CANARY not in json.dumps(dependency_state([panel.widget]))


def test_a_notebook_with_a_key_does_not_hold_it(monkeypatch, scripted) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("ROBOFLOW_API_KEY", CANARY)
    code = f"import rfhosted\nc = rfhosted.Client(base_url={scripted.url!r})\nc"
    again = f"c.predict({str(IMAGES / 'one.jpg')!r}, 'a/1')"
    cells = [nbformat.v4.new_code_cell(text) for text in (code, again)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, allow_errors=True).execute()
    file = io.StringIO()
    nbformat.write(notebook, file)
    assert "no objects above" in file.getvalue()
    assert CANARY not in file.getvalue()
    assert json.loads(file.getvalue())["cells"][0]["outputs"]


def test_live_tests_that_fail_do_not_show_it(monkeypatch, scripted) -> None:
    """Their hosts are local, and respond with nothing that a live test wants."""
    monkeypatch.setenv("ROBOFLOW_API_KEY", CANARY)
    scripted.respond(Response(), Response(f'{{"message": "Unauthorized {CANARY}"}}'.encode(), 401))
    code = (
        "import sys, pytest; from rfhosted import hosted;"
        f"hosted.V1_HOSTS = dict.fromkeys(hosted.V1_HOSTS, {scripted.url!r});"
        f"hosted.V2_HOSTS = dict.fromkeys(hosted.V2_HOSTS, {scripted.url!r});"
        f"hosted.PERCENT_HOSTS = {{{scripted.url!r}}};"
        "sys.exit(pytest.main(['-l', '-vv', '--tb=long', '-p', 'no:cacheprovider', sys.argv[1]]))"
    )
    live = Path(__file__).with_name("test_live.py")
    run = subprocess.run(
        [sys.executable, "-c", code, live], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "live: 6 requests sent" in run.stdout
    sent = [
        received.headers.get("authorization", received.query.get("api_key"))
        for received in scripted.received
    ]
    assert [CANARY in key for key in sent] == [True] * 6
    assert "Unauthorized ***" in run.stdout
    assert CANARY not in run.stdout + run.stderr
