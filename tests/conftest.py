"""A server that answers by script, the recordings, and a place with no key in it."""

from __future__ import annotations

import http.server
import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

RECORDINGS = Path(__file__).parent / "recordings"
IMAGES = RECORDINGS / "images"


@dataclass
class Recording:
    """One exchange with the real server software."""

    name: str
    data: dict

    @property
    def request(self) -> dict:
        return self.data["request"]

    @property
    def status(self) -> int:
        return self.data["response"]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.data["response"]["headers"])

    @property
    def body(self) -> bytes:
        return self.data["response"].get("body_text", "").encode()

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type") == "application/json"

    @property
    def json(self) -> object:
        return json.loads(self.body)


def recordings() -> list[Recording]:
    files = sorted(RECORDINGS.glob("*/*.json"))
    return [Recording(f"{f.parent.name}/{f.stem}", json.loads(f.read_text())) for f in files]


@dataclass
class Answer:
    """What the scripted server says once."""

    body: bytes = b'{"predictions": [], "image": {"width": 1, "height": 1}, "time": 0.01}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    delay: float = 0.0  # seconds before the status line
    drip: float = 0.0  # seconds between bytes of the body
    cut: int = 0  # bytes missing at the end


@dataclass
class Asked:
    """What the scripted server was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class ScriptedServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.asked: list[Asked] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def say(self, *answers: Answer) -> None:
        """The next answers; the last is repeated."""
        self.script = list(answers)

    def handle_error(self, request, client_address) -> None:
        pass  # a client that hangs up is part of the tests


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.server.asked.append(Asked(self.command, parts.path, query, headers, body))
        script = self.server.script or [Answer()]
        answer = script.pop(0) if len(script) > 1 else script[0]
        time.sleep(answer.delay)
        if answer.status == 0:  # hang up without an answer
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.drip:
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(answer.drip)
        else:
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])
        if answer.cut:
            self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *args: object) -> None:
        pass


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
    """No key of the person who runs the tests, and a working directory of the test's own."""
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
    """What threads raised and nobody caught."""
    errors: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))
    return errors
