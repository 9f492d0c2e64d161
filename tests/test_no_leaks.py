"""A canary key, set in every way that a key can be set, is found nowhere."""

from __future__ import annotations

import io
import json
import logging
import pickle
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import pytest

from rfhosted import Client, HostedError
from rfhosted.keys import _colab_key
from support.leaks import chain
from support.recordings import IMAGES
from support.scripted import Response

CANARY = "CANARYab12CD34ef56GH78"
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
    "refused": [Response(f'{{"message": "bad key {CANARY}"}}'.encode(), 401)],
    "failed": [Response(f"<p>{CANARY}</p>".encode(), 500)],
    "cut off": [Response(b"x" * 100, cut=50)],
    "closed": [Response(status=0)],
    "late": [Response(delay=1.5)],
    "no json": [Response(b"<html>")],
    "no shape": [Response(b"{}")],
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("trouble", TROUBLE)
def test_errors_do_not_tell_it(scripted, keyed, caplog, capsys, trouble, version) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.respond(*TROUBLE[trouble])
    client = keyed(base_url=scripted.url, api_version=version, retries=1, timeout=0.7)
    with warnings.catch_warnings(record=True) as warned, pytest.raises(HostedError) as caught:  # noqa: PT012 - one call
        warnings.simplefilter("always")
        client.predict(IMAGES / "one.jpg", "a/1")
    told = chain(caught.value) + caplog.text + "".join(str(w.message) for w in warned)
    told += "".join(capsys.readouterr()) + pickle.dumps(caught.value).decode("latin-1")
    assert CANARY not in told
    assert any(r.name == "urllib3.connectionpool" for r in caplog.records)  # it was listened to


def test_an_unreachable_server_does_not_either(keyed, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(HostedError) as caught:
        keyed(base_url="http://127.0.0.1:9", retries=0).predict(IMAGES / "one.jpg", "a/1")
    assert CANARY not in chain(caught.value) + caplog.text


def test_ipython_verbose_tracebacks_do_not_tell_it(scripted, keyed) -> None:
    from IPython.core.ultratb import VerboseTB

    scripted.respond(Response(b"{}", 401))
    client = keyed(base_url=scripted.url)
    try:
        client.predict(IMAGES / "one.jpg", "a/1")
    except HostedError:
        told = VerboseTB(include_vars=True).text(*sys.exc_info())
    assert "AuthenticationError" in told
    assert CANARY not in told


def test_results_do_not_tell_it(scripted, keyed, tmp_path) -> None:
    client = keyed(base_url=scripted.url)
    prediction = client.predict(IMAGES / "one.jpg", "a/1")
    told = [
        repr(client),
        str(client),
        repr(vars(client)),
        repr(prediction),
        prediction._repr_html_(),
    ]
    told += [repr(prediction.raw), repr(prediction.upload), repr(prediction.timing)]
    told.append(pickle.dumps(prediction).decode("latin-1"))
    assert CANARY not in "".join(told)
    assert CANARY not in pickle.dumps(client).decode("latin-1")
    with pytest.raises(TypeError) as caught:
        pickle.dumps(client._key)
    assert CANARY not in chain(caught.value)


def test_bad_arguments_beside_a_key_do_not_tell_it() -> None:
    for bad in ({"region": "mars"}, {"timeout": -1}, {"api_version": "v1", "region": "eu"}):
        with pytest.raises((ValueError, HostedError)) as caught:
            Client(CANARY, **bad)
        frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        # Of our frames: the test's own line of course holds the name of the canary.
        ours = [
            str(f.locals)
            for f in frames.stack
            if "rfhosted" in f.filename and "tests" not in f.filename
        ]
        assert ours
        assert CANARY not in "".join(ours) + str(caught.value)


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


def test_live_tests_that_fail_do_not_tell_it(monkeypatch, scripted) -> None:
    """The hosts are this machine's here; what they answer is nothing that a live test wants."""
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
    asked = [
        asked.headers.get("authorization", asked.query.get("api_key"))
        for asked in scripted.received
    ]
    assert [CANARY in key for key in asked] == [True] * 6
    assert "Unauthorized ***" in run.stdout
    assert CANARY not in run.stdout + run.stderr
