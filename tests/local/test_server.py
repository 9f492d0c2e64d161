"""The embedded server as a process: keys, hosts, limits, starting, stopping."""

from __future__ import annotations

import base64
import inspect
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import requests
from PIL import Image

import rfhosted.local
from rfhosted.hosted import REQUEST_LIMITS, ApiVersion
from rfhosted.local import postprocess
from rfhosted.local.app import build_app
from support.recordings import IMAGES

KEY = "canary-4f1d"
CAT = (IMAGES / "cat.jpg").read_bytes()
NO_KEY = {"status": 401, "message": "Unauthorized api_key"}
WRONG_KEY = {
    "status": 401,
    "message": "Unauthorized api_key. This key is not authorized for serverless inference.",
}


@pytest.fixture(scope="module")
def server():
    with rfhosted.local.serve() as one:
        yield one.url


@pytest.fixture(scope="module")
def locked():
    with rfhosted.local.serve(key=KEY) as one:
        yield one.url


def command(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "rfhosted.local", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM"])
def test_the_command_serves_until_it_is_stopped(how) -> None:
    process = command("--port", "0", "--key", KEY)
    url = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    for path in ("", "/v1"):
        for key, status in ((KEY, 200), ("wrong", 401)):
            response = requests.post(
                f"{url}{path}/local/classification?api_key={key}", files={"file": CAT}
            )
            assert response.status_code == status
    requests.post(f"{url}/local/classification?api_key={KEY}&stroke=x", data=b"x")
    process.send_signal(signal.Signals[how])
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert (out, err) == ("", "")


def test_a_taken_port_is_one_line(server) -> None:
    port = server.rpartition(":")[2]
    process = command("--port", port)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert out == ""
    assert err.count("\n") == 1
    assert port in err
    assert "in use" in err
    with pytest.raises(OSError, match="in use"), rfhosted.local.serve(port=int(port)):
        pass


def test_a_port_that_cannot_be_is_one_line() -> None:
    _, err = command("--port", "70000").communicate(timeout=20)
    assert err.count("\n") == 1


def test_only_loopback_is_listened_to(server) -> None:
    assert inspect.signature(rfhosted.local.serve).parameters["host"].default == "127.0.0.1"
    assert server.startswith("http://127.0.0.1:")
    port = int(server.rpartition(":")[2])
    with socket.socket() as other:  # free on every other address
        other.bind(("127.0.0.2", port))


def test_ipv6() -> None:
    with rfhosted.local.serve("::1") as one:
        assert requests.get(f"{one.url}/healthz").json() == {"status": "healthy"}


def test_nothing_is_left_afterwards() -> None:
    with rfhosted.local.serve() as one, requests.Session() as session:
        assert session.get(f"{one.url}/healthz").ok  # and keeps its connection
        threads = threading.active_count()
    assert threading.active_count() < threads
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{one.url}/healthz")


def test_a_server_that_cannot_start_says_so(monkeypatch) -> None:
    monkeypatch.setattr("rfhosted.local.server._run", lambda server, listener: None)
    with pytest.raises(RuntimeError, match="did not start"), rfhosted.local.serve():
        pass


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "python_multipart", "onnxruntime"])
def test_without_the_extra_the_import_says_what_to_install(missing) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; import rfhosted.local"
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert process.returncode
    last = process.stderr.splitlines()[-1]
    assert (
        last
        == f'ModuleNotFoundError: The embedded server needs {missing}: pip install "rfhosted[local]"'
    )


@pytest.mark.parametrize("path", ["/local/classification", "/v1/local/classification"])
@pytest.mark.parametrize(
    ("query", "header", "status", "body"),
    [
        ("", None, 401, NO_KEY),
        ("?api_key=", None, 401, WRONG_KEY),
        ("?api_key=wrong", None, 401, WRONG_KEY),
        (f"?api_key={KEY}", None, 200, None),
        ("", f"Bearer {KEY}", 200, None),
        ("", f"bearer {KEY}", 200, None),
        ("", "Bearer wrong", 401, WRONG_KEY),
        ("", f"Basic {KEY}", 401, NO_KEY),
        (f"?api_key={KEY}", "Bearer wrong", 200, None),
        ("?api_key=wrong", f"Bearer {KEY}", 401, WRONG_KEY),
        ("?api_key=", f"Bearer {KEY}", 401, WRONG_KEY),
    ],
)
def test_keys(locked, path, query, header, status, body) -> None:
    headers = {"Authorization": header} if header else {}
    response = requests.post(f"{locked}{path}{query}", headers=headers, files={"file": CAT})
    assert response.status_code == status
    assert body is None or response.json() == body


@pytest.mark.parametrize("query", ["", "?api_key=", "?api_key=whatever"])
def test_without_a_key_of_its_own_it_accepts_any_key(server, query) -> None:
    assert requests.post(f"{server}/local/classification{query}", files={"file": CAT}).ok
    headers = {"Authorization": "Bearer something", "Content-Type": "application/json"}
    body = base64.b64encode(CAT)
    assert requests.post(f"{server}/local/classification{query}", data=body, headers=headers).ok


def test_the_key_is_never_shown(locked, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    app = build_app(KEY)
    shown = [
        repr(app),
        repr(vars(app)),
        repr(app.user_middleware),
        repr(rfhosted.local.LocalServer("u")),
    ]
    shown += [repr(vars(part)) for part in app.user_middleware]
    with rfhosted.local.serve(key=KEY) as one:
        shown.append(repr(one))
        with socket.create_connection(("127.0.0.1", int(one.url.rpartition(":")[2]))) as connection:
            connection.sendall(f"POST /a/b?api_key={KEY} HTTP/9.9\r\n\r\n".encode())
            shown.append(connection.recv(1000).decode())
    for path in ("/local/object-detection", "/no/such", "/one", "/"):
        for key in (KEY, f"{KEY}x"):
            response = requests.post(f"{locked}{path}?api_key={key}&stroke=x", files={"file": CAT})
            shown += [response.text, str(response.headers)]
    out, err = capfd.readouterr()
    shown += [out, err] + [
        r.getMessage() for r in caplog.records if not r.name.startswith("urllib3")
    ]
    assert not [text for text in shown if KEY in text]


def noise(length: int) -> bytes:
    """An image of about that many bytes that can be decoded."""
    side = int((length / 3) ** 0.5)
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(file, "BMP")
    return file.getvalue()


@pytest.mark.parametrize(("path", "version"), [("/v1", ApiVersion.V1), ("", ApiVersion.V2)])
@pytest.mark.parametrize("form", ["multipart", "base64"])
def test_limits(server, path, version, form) -> None:
    def send(length: int) -> requests.Response:
        image = noise(length if form == "multipart" else length * 3 // 4)
        url = f"{server}{path}/local/classification"
        if form == "multipart":
            return requests.post(url, files={"file": image})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return requests.post(url, data=base64.b64encode(image), headers=headers)

    limit = REQUEST_LIMITS[version]
    assert send(limit - 50_000).status_code == 200
    over = send(limit + 50_000)
    assert over.status_code == 413
    assert over.json() == {"message": "Request Too Long"}
    assert send(limit + 7_000_000).status_code == 413


@pytest.mark.parametrize("path", ["/v1", ""])
def test_no_body_is_read_without_end(server, path) -> None:
    sent = 0

    def endless():
        nonlocal sent
        while sent < 400_000_000:
            sent += 1_000_000
            yield b"A" * 1_000_000

    try:
        response = requests.post(
            f"{server}{path}/local/classification",
            data=endless(),
            headers={"Content-Type": "text/plain"},
        )
        assert response.status_code == 413
    except requests.RequestException:
        pass  # the server hung up on a client that would not stop
    assert sent < 60_000_000


def test_clients_that_hang_up_are_not_logged(server, capfd) -> None:
    port = int(server.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"POST /local/classification HTTP/1.1\r\nContent-Length: 99\r\nContent-Type: a/b\r\n\r\nx"
        )
    assert requests.get(f"{server}/healthz").ok
    time.sleep(0.1)
    assert capfd.readouterr() == ("", "")


def test_an_internal_error_is_a_500_and_logged(server, monkeypatch, caplog) -> None:
    monkeypatch.setattr(postprocess.onnx_models, "classify", lambda rgb: 1 / 0)
    response = requests.post(f"{server}/local/classification", files={"file": CAT})
    assert (response.status_code, response.json()) == (500, {"message": "Internal error."})
    deadline = time.monotonic() + 5
    while "ZeroDivisionError" not in caplog.text:  # logged a moment after the response
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.undo()
    assert requests.post(f"{server}/local/classification", files={"file": CAT}).ok


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1:8888"])
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
def test_web_pages_are_refused(server, locked, origin, method) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for url in (
        f"{server}/healthz",
        f"{server}/local/classification",
        f"{locked}/a/1?api_key={KEY}",
    ):
        response = requests.request(method, url, headers=headers)
        assert response.status_code == 403
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
def test_other_host_names_are_refused_on_loopback(server, host) -> None:
    response = requests.post(
        f"{server}/local/classification", headers={"Host": host}, files={"file": CAT}
    )
    assert response.status_code == 400
    assert "host" in response.text


def test_host_names_of_loopback(server) -> None:
    port = server.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1", "[::1]"):
        response = requests.get(f"{server}/healthz", headers={"Host": f"{name}:{port}"})
        assert response.ok, name


def test_any_host_name_where_the_network_may_connect() -> None:
    with rfhosted.local.serve("0.0.0.0") as one:
        port = one.url.rpartition(":")[2]
        address = f"http://127.0.0.1:{port}/healthz"
        assert requests.get(address, headers={"Host": "lab-3.example.com"}).ok
