"""The embedded server under abuse: bombs, stalled clients, floods, odd ids, being stopped at work.

Each fault has an expected response and a bound of memory. Where time matters, a limit of the server
is made short; no test measures how fast the computer is. ``RFHOSTED_EXAMPLES`` sets the number of
mutated images.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc

import cv2
import numpy as np
import psutil
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import rfhosted.local
from rfhosted.hosted import IMAGE_TASKS, ApiVersion, Task
from rfhosted.local import Simulation, app, onnx_models, request_image, server
from rfhosted.local import simulation as local_simulation
from rfhosted.local.errors import BadImageError
from support.image_files import after_head, encoded, plain, png
from support.recordings import IMAGES

CAT = (IMAGES / "cat.jpg").read_bytes()
SECONDS = 60  # a bound for what hangs, not a measure of what is slow
EXAMPLES = int(os.environ.get("RFHOSTED_EXAMPLES", "200"))
HEAD = b"POST /local/object-detection HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"


def black(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel: few bytes, many pixels."""
    return png(width, height, depth=1, pixels=bytes((1 + -(-width // 8)) * height))


@contextlib.contextmanager
def command(*arguments: str):
    """``python -m rfhosted.local`` as a process, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "rfhosted.local", *arguments, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served():
    """A server in a process of its own, so that it can be weighed: (process, URL)."""
    with command() as (process, port):
        url = f"http://127.0.0.1:{port}"
        for task in IMAGE_TASKS:  # warm models
            post(f"{url}/local/{task}", CAT)
        yield psutil.Process(process.pid), url


@pytest.fixture
def running():
    with rfhosted.local.serve() as one:
        yield one.url


def post(url: str, data: bytes, **options) -> requests.Response:
    return requests.post(url, files={"file": data}, timeout=SECONDS, **options)


class Peak(threading.Thread):
    """The largest memory of a process, in MB above what it had."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process, self._going = process, True
        self._before = self.most = process.memory_info().rss

    def run(self) -> None:
        while self._going:
            self.most = max(self.most, self._process.memory_info().rss)
            time.sleep(0.005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._going = False
        self.join()

    @property
    def megabytes(self) -> float:
        return (self.most - self._before) / 2**20


# Images


BOMBS = {
    "PNG": lambda: black(18_000, 18_000),
    "long PNG": lambda: black(1_000_000, 100),
    "JPEG": lambda: encoded(Image.new("L", (9000, 9000)), "JPEG"),
    "GIF": lambda: encoded(Image.new("L", (9000, 9000)), "GIF"),
    "WebP": lambda: encoded(Image.new("RGB", (9000, 9000)), "WEBP", lossless=True, method=0),
    "TIFF": lambda: encoded(Image.new("L", (9000, 9000)), "TIFF", compression="tiff_lzw"),
    "16 bits": lambda: encoded(Image.new("I;16", (9000, 9000)), "PNG"),
    "only on paper": lambda: png(60_000, 60_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_images_of_too_many_pixels_are_refused(served, bomb) -> None:
    process, url = served
    data = BOMBS[bomb]()
    with Peak(process) as peak:
        response = post(f"{url}/local/semantic-segmentation", data)
    assert response.status_code == 400
    assert response.json()["message"].startswith("Could not load input image. Cause: The image has")
    assert peak.megabytes < 100


@pytest.mark.parametrize("task", IMAGE_TASKS)
@pytest.mark.parametrize("size", [(65_000, 1), (1, 65_000)])
def test_strips_take_no_memory(served, task, size) -> None:
    process, url = served
    with Peak(process) as peak:
        response = post(f"{url}/local/{task}", black(*size), params={"confidence": 0.05})
    assert response.json()["image"] == dict(zip(("width", "height"), size, strict=True))
    assert peak.megabytes < 600  # of which one run of a model takes half


def test_a_large_image_is_decoded_and_nothing_more_has_its_size(served) -> None:
    process, url = served
    with Peak(process) as peak:
        response = post(f"{url}/local/object-detection", black(8000, 8000))
    assert response.json()["image"] == {"width": 8000, "height": 8000}
    assert peak.megabytes < 450


def test_large_images_at_once_are_decoded_one_by_one(served) -> None:
    process, url = served
    data = black(8000, 8000)
    with Peak(process) as peak:
        threads = [
            threading.Thread(target=post, args=(f"{url}/local/classification", data))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert peak.megabytes < 600


def test_memory_goes_back(served) -> None:
    process, url = served
    time.sleep(2 * app._IDLE_SECONDS)
    before = process.memory_info().rss
    threads = [
        threading.Thread(target=post, args=(f"{url}/local/{task}", CAT))
        for task in IMAGE_TASKS
        for _ in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: (process.memory_info().rss - before) / 2**20 < 100)


def test_coordinates_of_a_large_image_are_its_own(running) -> None:
    """A photo four times as large gives the same detections, four times as far away."""
    photo = Image.open(IMAGES / "astronaut.jpg")
    large = photo.resize((photo.width * 8, photo.height * 8), Image.Resampling.BICUBIC)
    assert max(large.size) > request_image.LONGEST_SIDE
    options = {"files": {"file": encoded(large, "JPEG")}, "timeout": SECONDS}
    for task in (Task.KEYPOINT_DETECTION, Task.INSTANCE_SEGMENTATION):
        address = f"{running}/local/{task}"
        small_one = post(address, encoded(photo, "PNG")).json()["predictions"][0]
        body = requests.post(address, **options).json()
        assert body["image"] == {"width": large.width, "height": large.height}
        large_one = body["predictions"][0]
        for name in ("x", "y", "width", "height"):
            assert large_one[name] == pytest.approx(8 * small_one[name], rel=0.1, abs=40)
        for part in ("keypoints", "points"):
            if part in small_one:
                ours, theirs = (
                    np.array([(p["x"], p["y"]) for p in one[part]])
                    for one in (large_one, small_one)
                )
                assert ours.max(axis=0) == pytest.approx(8 * theirs.max(axis=0), rel=0.1)
    url = f"{running}/local/instance-segmentation?response_mask_format=rle"
    item = requests.post(url, **options).json()["predictions"][0]
    assert item["rle"]["size"] == [large.height, large.width]
    url = f"{running}/local/semantic-segmentation"
    found = requests.post(url, **options).json()["predictions"]
    for name in ("segmentation_mask", "confidence_mask"):
        mask = Image.open(io.BytesIO(base64.b64decode(found[name])))
        assert mask.size == large.size


JPEG, PNG, GIF, WEBP, BMP, TIFF = (
    encoded(plain(), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
)


#: OpenCV reads GIF from 4.11 on.
READ = [JPEG, PNG, WEBP, BMP, TIFF] + [GIF] * (cv2.__version__ >= "4.11")


@pytest.mark.parametrize("data", [*READ, after_head(JPEG, b"\0\0junk")])
def test_formats_that_are_decoded(data) -> None:
    image = request_image.decode(data)
    assert (image.size, image.rgb.shape) == ((64, 48), (48, 64, 3))
    assert request_image.image_size(data) == (64, 48)


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"<svg/>",
        b"P6 1 1 255 abc",
        b"\0\0\0\x18ftypheic",
        b"#?RADIANCE\n",
    ],
)
def test_other_formats_are_not_opened(data, recwarn) -> None:
    for read in (request_image.decode, request_image.image_size):
        with pytest.raises(BadImageError):
            read(data)
    assert not recwarn


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.sampled_from([JPEG, PNG, GIF, WEBP, BMP, TIFF]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    length=st.integers(1, 5000),
)
def test_mutated_images_are_decoded_or_refused(data, changes, length) -> None:
    mutated = bytearray(data)
    for place, value in changes:
        mutated[place % len(mutated)] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_image, "MOST_PIXELS", 1 << 20)
        with contextlib.suppress(BadImageError):
            image = request_image.decode(bytes(mutated[:length]))
            assert image.rgb.dtype == np.uint8
            assert image.rgb.shape[2] == 3


# Work


def test_a_crowd_of_boxes_costs_a_bounded_number_of_runs(running, monkeypatch) -> None:
    runs = []
    salient = onnx_models.salient
    monkeypatch.setattr(onnx_models, "salient", lambda rgb: runs.append(1) or salient(rgb))
    url = f"{running}/local/instance-segmentation?confidence=0.01&overlap=0.95"
    body = post(url, (IMAGES / "coffee.jpg").read_bytes()).json()
    assert len(body["predictions"]) == 50
    assert re.search(r"best 50 of \d\d\d?", body["note"])
    assert len(runs) <= 6


def test_few_boxes_have_no_note(running) -> None:
    assert "note" not in post(f"{running}/local/instance-segmentation", CAT).json()


@pytest.mark.parametrize("stroke", [-1, 32_768, 10**30])
@pytest.mark.parametrize("task", [t for t in IMAGE_TASKS if t != Task.SEMANTIC_SEGMENTATION])
def test_any_width_of_lines(served, task, stroke) -> None:
    _, url = served
    response = post(f"{url}/local/{task}?format=image&confidence=0.2&stroke={stroke}", CAT)
    assert (response.status_code, response.content[:2]) == (200, b"\xff\xd8")


@pytest.mark.parametrize("name", ["max_detections", "overlap", "confidence"])
@pytest.mark.parametrize(
    "value", ["-1", "0", "1e300", "-1e300", "9" * 400, "9" * 5000, "nan", "\0"]
)
def test_any_value_of_a_parameter(served, name, value) -> None:
    _, url = served
    response = post(f"{url}/local/object-detection", CAT, params={name: value})
    assert response.status_code in (200, 422)


@pytest.mark.parametrize("arguments", [(), ("--simulate", "yolov8n-640")])
def test_control_characters_in_an_id(arguments) -> None:
    with command(*arguments) as (process, port):
        for text in (
            "%0aX-Evil:%201",
            "%0d%0aX-Evil:%201",
            "%00",
            "%1b[31m",
            "%e2%80%ae",
            "%ff",
            "%7f",
        ):
            for path in (f"a/{text}", f"{text}/1", f"v1/a/{text}"):
                response = post(f"http://127.0.0.1:{port}/{path}", CAT)
                assert response.status_code == 404
                assert "x-evil" not in response.headers
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=SECONDS) == ("", "")


# Clients that stall, flood or leave


def wait_until(condition) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def stalled(url: str, data: bytes) -> socket.socket:
    connection = socket.create_connection(
        ("127.0.0.1", int(url.rpartition(":")[2])), timeout=SECONDS
    )
    connection.sendall(data)
    return connection


def upload(image: bytes, path: str = "object-detection") -> bytes:
    body = base64.b64encode(image)
    head = HEAD.replace(b"object-detection", path.encode())
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_stalled_uploads_hold_little_memory(served) -> None:
    process, url = served
    with Peak(process) as peak, contextlib.ExitStack() as stack:
        for _ in range(30):
            begin = HEAD + b"Content-Length: 19900000\r\n\r\n" + b"A" * 1_000_000
            connection = stack.enter_context(stalled(url, begin))
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(18):
                    connection.send(b"A" * 1_000_000)
        assert post(f"{url}/local/object-detection", CAT).ok  # the others do not wait for them
    assert peak.megabytes < 300


@pytest.mark.parametrize("limit", ["_PAUSE_SECONDS", "_BODY_SECONDS"])
def test_a_body_that_does_not_come_is_a_408(running, monkeypatch, limit) -> None:
    monkeypatch.setattr(request_image, limit, 0.3)
    with stalled(running, HEAD + b"Content-Length: 1000\r\n\r\nA") as connection:
        if limit == "_BODY_SECONDS":  # a drip
            with contextlib.suppress(OSError):
                for _ in range(20):
                    connection.sendall(b"A")
                    time.sleep(0.05)
        response = b"".join(iter(lambda: connection.recv(1000), b""))  # and it hangs up
    assert response.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("data", [b"", b"POST /local/class", HEAD, b"\x16\x03\x01\x02"])
def test_heads_that_do_not_end_are_cut(running, monkeypatch, data) -> None:
    monkeypatch.setattr(server, "_PEER_SECONDS", 0.3)
    with stalled(running, data) as connection, contextlib.suppress(ConnectionResetError):
        assert b"200 OK" not in b"".join(iter(lambda: connection.recv(1000), b""))


def test_a_second_head_that_does_not_end_is_cut(running, monkeypatch) -> None:
    monkeypatch.setattr(server, "_PEER_SECONDS", 0.3)
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with stalled(running, first) as connection, contextlib.suppress(ConnectionResetError):
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(1000)
        connection.sendall(b"GET /hea")
        assert not b"".join(iter(lambda: connection.recv(1000), b""))


def test_a_client_that_does_not_read_is_cut(running, monkeypatch) -> None:
    monkeypatch.setattr(server, "_PEER_SECONDS", 0.3)
    monkeypatch.setattr(app, "render", lambda *_: b"A" * 30_000_000)
    cut = threading.Event()
    lost = server._Connection.connection_lost
    monkeypatch.setattr(
        server._Connection, "connection_lost", lambda self, exc: (lost(self, exc), cut.set())
    )
    with stalled(running, upload(CAT, "object-detection?format=image")):
        assert cut.wait(SECONDS)


def test_connections_are_limited(running, monkeypatch) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(stalled(running, b"POST "))
        deadline = time.monotonic() + SECONDS
        while True:  # those before this test may still be closing
            with contextlib.suppress(ConnectionError), stalled(running, b"GET /") as one_more:
                assert one_more.recv(10) == b""
                break
            assert time.monotonic() < deadline
    deadline = time.monotonic() + SECONDS
    while True:  # closed ones make room
        with contextlib.suppress(requests.ConnectionError):
            assert requests.get(f"{running}/healthz", timeout=SECONDS).ok
            break
        assert time.monotonic() < deadline


@pytest.fixture
def blocked(monkeypatch):
    """Models that begin, and wait until they are released: (begun, released)."""
    begun, released = threading.Semaphore(0), threading.Event()
    detect = onnx_models.detect

    def slow(rgb):
        begun.release()
        assert released.wait(SECONDS)
        return detect(rgb)

    monkeypatch.setattr(onnx_models, "detect", slow)
    yield begun, released
    released.set()


def test_who_waited_too_long_is_asked_to_try_again(blocked, monkeypatch) -> None:
    begun, released = blocked
    responses = []

    def send(count: int) -> list[threading.Thread]:
        url = f"{one.url}/local/object-detection"
        threads = [
            threading.Thread(target=lambda: responses.append(post(url, CAT))) for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        return threads

    with rfhosted.local.serve() as one:
        threads = send(app._AT_ONCE)
        for _ in threads:
            assert begun.acquire(timeout=SECONDS)
        monkeypatch.setattr(app, "_QUEUE_SECONDS", -1)  # from here on all wait too long
        threads += send(2)
        assert requests.get(f"{one.url}/healthz", timeout=SECONDS).ok  # it is not blocked
        released.set()
        for thread in threads:
            thread.join()
    assert sorted(r.status_code for r in responses) == [200] * app._AT_ONCE + [503] * 2
    assert {r.headers.get("retry-after") for r in responses} == {None, "1"}


def test_requests_that_nobody_waits_for_are_dropped(blocked, monkeypatch) -> None:
    begun, released = blocked
    decoded = []
    decode = request_image.decode
    monkeypatch.setattr(
        request_image, "decode", lambda *a, **k: decoded.append(1) or decode(*a, **k)
    )
    application = app.build_app()
    with server.running(application) as url:
        address = f"{url}/local/object-detection"
        waiting = [stalled(url, upload(CAT)) for _ in range(app._AT_ONCE + 6)]
        for _ in range(app._AT_ONCE):
            assert begun.acquire(timeout=SECONDS)
        for connection in waiting:
            connection.close()
        wait_until(lambda: not application.state.service._open)
        released.set()
        assert post(address, CAT).ok
    assert len(decoded) == app._AT_ONCE + 1


def test_large_bodies_of_clients_that_left_are_not_kept(blocked) -> None:
    """While the models are busy, clients send large images and leave, again and again."""
    begun, released = blocked
    application = app.build_app()
    image = b"A" * 3_000_000
    kept = []
    with server.running(application) as url:
        busy = [stalled(url, upload(CAT)) for _ in range(app._AT_ONCE)]
        for _ in busy:
            assert begun.acquire(timeout=SECONDS)
        tracemalloc.start()
        try:
            for _ in range(20):
                with stalled(url, upload(image)):
                    wait_until(lambda: len(application.state.service._open) > app._AT_ONCE)
                wait_until(lambda: len(application.state.service._open) == app._AT_ONCE)
                kept.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        released.set()
        for connection in busy:
            connection.close()
    assert max(kept) < 30_000_000


# Stopping


def flood(url: str, going: threading.Event) -> list[threading.Thread]:
    def work() -> None:
        while going.is_set():
            with contextlib.suppress(requests.RequestException):
                post(url, CAT)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("task", [Task.INSTANCE_SEGMENTATION, Task.CLASSIFICATION])
def test_a_stop_at_work_is_in_order(task) -> None:
    going = threading.Event()
    going.set()
    with command() as (process, port):
        url = f"http://127.0.0.1:{port}/local/{task}"
        post(url, CAT)
        with stalled(f":{port}", HEAD + b"Content-Length: 9000000\r\n\r\nA"):
            threads = flood(url, going)
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=SECONDS)
            going.clear()
        assert (process.returncode, errors) == (0, "")
        for thread in threads:
            thread.join()


SCRIPT = f"""
import threading, time, rfhosted
photo = {str(IMAGES / "coffee.jpg")!r}
client = rfhosted.Client(timeout=TIMEOUT, retries=0)
rfhosted.predict(photo)
def work():
    while True:
        try:
            client.predict(photo, "local/instance-segmentation")
        except rfhosted.HostedError:
            pass
for _ in range(THREADS):
    threading.Thread(target=work, daemon=True).start()
try:
    client.predict(photo, "local/instance-segmentation")
except rfhosted.HostedError:
    print("timeout")
"""


@pytest.mark.parametrize(
    ("timeout", "threads", "ending"),
    [("60", "8", ""), ("0.05", "0", ""), ("0.05", "8", "import sys; sys.exit()")],
)
def test_a_script_ends_while_models_run(timeout, threads, ending) -> None:
    script = SCRIPT.replace("TIMEOUT", timeout).replace("THREADS", threads) + ending
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_context_that_nobody_leaves_stops_when_python_ends() -> None:
    script = f"""
import threading, requests, rfhosted.local
server = rfhosted.local.serve()
url = server.__enter__().url + "/local/instance-segmentation"
photo = open({str(IMAGES / "coffee.jpg")!r}, "rb").read()
def work():
    while True:
        try: requests.post(url, files={{"file": photo}})
        except requests.RequestException: pass
for _ in range(6): threading.Thread(target=work, daemon=True).start()
requests.post(url, files={{"file": photo}})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_programs_own_asyncio_run_is_not_used(monkeypatch) -> None:
    """nest_asyncio and debuggers replace it by one with other arguments."""
    monkeypatch.setattr(asyncio, "run", lambda main, *, debug=False: 1 / 0)
    monkeypatch.setattr("uvicorn.server.asyncio_run", asyncio.run, raising=False)
    with rfhosted.local.serve() as one:
        assert requests.get(f"{one.url}/healthz", timeout=SECONDS).ok


# The network


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_a_server_for_the_network_without_a_key_says_so(host) -> None:
    with command("--host", host) as (process, port):
        assert post(f"http://127.0.0.1:{port}/local/classification", CAT).ok
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=SECONDS)
    assert "--key" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("--host", "0.0.0.0", "--key", "abc"), ("--host", "127.0.0.1")]
)
def test_a_server_for_this_computer_or_with_a_key_is_silent(arguments) -> None:
    with command(*arguments) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=SECONDS) == ("", "")


def test_a_simulation_holds_no_large_bodies() -> None:
    """More large uploads are simulated at the same time than may be in memory."""
    count = 3 * app._LARGE_BODIES
    times = rfhosted.local.Times(exec=SECONDS)  # none of them ends before the next has begun
    simulation = Simulation({"*": dict.fromkeys(ApiVersion, times)}, workers=count)
    data = encoded(Image.effect_noise((1500, 1500), 90), "PNG")
    assert len(data) > app._LARGE_BODY
    begun = threading.Semaphore(0)
    with pytest.MonkeyPatch.context() as patch, rfhosted.local.serve(simulate=simulation) as one:
        draw = local_simulation.Simulator._draw
        patch.setattr(
            local_simulation.Simulator, "_draw", lambda *a: (begun.release(), draw(*a))[1]
        )
        threads = [
            threading.Thread(target=post, args=(f"{one.url}/a/1", data)) for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for _ in range(2 * count):
            assert begun.acquire(timeout=SECONDS)
    for thread in threads:  # the server has stopped, and refused them
        thread.join()


def test_a_rough_client(running) -> None:
    """Requests that are no HTTP, or not ours, end in a 4xx."""
    for data in (
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /local/classification HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /local/classification HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /local/classification HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ):
        with stalled(running, b"") as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            assert re.match(rb"HTTP/1.1 4\d\d ", connection.recv(1000))
