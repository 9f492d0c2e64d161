"""A server that sends scripted responses."""

from __future__ import annotations

import http.server
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Response:
    """One response of the scripted server."""

    body: bytes = b'{"predictions": [], "image": {"width": 1, "height": 1}, "time": 0.01}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    delay: float = 0.0  # seconds before the status line
    drip: float = 0.0  # seconds between bytes of the body
    cut: int = 0  # bytes missing at the end


@dataclass
class Received:
    """One request that the scripted server received."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class ScriptedServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.script: list[Response] = []
        self.received: list[Received] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def respond(self, *responses: Response) -> None:
        """Set the next responses; the last is repeated."""
        self.script = list(responses)

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
        self.server.received.append(Received(self.command, parts.path, query, headers, body))
        script = self.server.script or [Response()]
        response = script.pop(0) if len(script) > 1 else script[0]
        time.sleep(response.delay)
        if response.status == 0:  # hang up without a response
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if response.drip:
            for byte in response.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(response.drip)
        else:
            self.wfile.write(response.body[: len(response.body) - response.cut])
        if response.cut:
            self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *args: object) -> None:
        pass
