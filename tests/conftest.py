"""Fixtures for every test: the scripted server, and an environment without an API key."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from support.recordings import IMAGES
from support.scripted import ScriptedServer


@pytest.fixture
def scripted():
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def keyless(request, monkeypatch, tmp_path):
    """Hide the API key of the person who runs the tests; run each test in its own directory."""
    if "live" not in request.keywords:
        monkeypatch.delenv("ROBOFLOW_API_KEY", raising=False)
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def images() -> Path:
    return IMAGES


@pytest.fixture
def raised(monkeypatch):
    """Collect the exceptions that threads raised and nobody caught."""
    errors: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))
    return errors
