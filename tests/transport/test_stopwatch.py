"""The parts of a request's time, against servers whose parts are known."""

from __future__ import annotations

import socket
import threading
import time

import pytest

import rfhosted
from rfhosted.prediction import Timing
from rfhosted.transport import stopwatch
from rfhosted.transport.request import Request
from rfhosted.transport.session import Transport
from support.scripted import Response

#: Seconds that a busy machine may add.
SLACK = 0.15


def ask(url: str, *, transport=None, nbytes: int = 4):
    request = Request(f"{url}/a/1", body=bytes(nbytes), content_type="text/plain")
    return (transport or Transport()).send(request, None, timeout=20, retries=0)


class SlowLine:
    """A server at the end of a line that takes ``rate`` bytes a second; answers when all came."""

    def __init__(self, rate: float) -> None:
        self.listener = socket.socket()
        # As on a real line: small segments, and no more in flight than the line takes.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(rate,), daemon=True).start()

    def _serve(self, rate: float) -> None:
        with self.listener.accept()[0] as connection:
            self._answer(connection, rate)

    def _answer(self, connection: socket.socket, rate: float) -> None:
        got, due = b"", time.perf_counter()
        while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < self._expected(got):
            data = connection.recv(2048)
            got += data
            due += len(data) / rate
            time.sleep(max(0.0, due - time.perf_counter()))
        time.sleep(0.2)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd")

    def _expected(self, got: bytes) -> int:
        return int(got.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


@pytest.mark.skipif(not hasattr(socket, "TCP_MAXSEG"), reason="the line needs small segments")
def test_an_upload_lasts_until_the_other_side_has_it() -> None:
    line = SlowLine(rate=200_000)
    told = ask(line.url, nbytes=120_000)  # well within what the system would buffer
    # 8 to 16 kB and two segments are still on their way when the rest is acknowledged.
    assert told.split.upload == pytest.approx(0.6, abs=0.2)
    assert told.split.wait == pytest.approx(0.2, abs=0.2)
    line.listener.close()


def test_wait_and_download(scripted) -> None:
    scripted.respond(Response(body=b"12345", delay=0.2, drip=0.05))
    told = ask(scripted.url).split
    assert 0.2 <= told.wait <= 0.2 + SLACK
    assert 0.2 <= told.download <= 0.25 + SLACK
    assert told.upload <= SLACK


def test_connect_holds_the_name_lookup_and_is_zero_when_reused(scripted, monkeypatch) -> None:
    real = socket.getaddrinfo

    def slow(*args, **kwargs):
        time.sleep(0.2)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    transport = Transport()
    url = scripted.url.replace("127.0.0.1", "localhost")
    first, second = (ask(url, transport=transport).split for _ in range(2))
    assert 0.2 <= first.connect <= 0.2 + SLACK
    assert first.upload <= SLACK
    assert second.connect == 0


def test_the_parts_make_up_the_whole(scripted) -> None:
    scripted.respond(Response(body=b"123", delay=0.05, drip=0.01))
    told = ask(scripted.url)
    parts = told.split
    assert parts.connect + parts.upload + parts.wait + parts.download == pytest.approx(told.e2e)


def test_a_system_that_does_not_tell_leaves_it_unknown(scripted, monkeypatch) -> None:
    def silent(sock):
        raise OSError

    monkeypatch.setattr(stopwatch, "_unacknowledged", silent)
    told = ask(scripted.url).split
    assert told.upload is None
    assert told.wait is None
    assert told.download is not None


def test_a_server_that_refuses_without_reading_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                stop.wait(20)

        stop = threading.Event()
        threading.Thread(target=refuse, daemon=True).start()
        began = time.perf_counter()
        with pytest.raises(rfhosted.TooLargeError):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}", nbytes=3_500_000)
        assert time.perf_counter() - began < 5
        stop.set()


def test_a_prediction_carries_the_split(scripted) -> None:
    scripted.respond(Response(delay=0.1))  # its body tells 10 ms of Exec
    client = rfhosted.Client(base_url=scripted.url)
    parts = client.predict(rfhosted.sample("cat"), "a/1", task="object-detection").timing.parts()
    assert list(parts) == [
        "prepare", "connect", "upload", "queue", "load", "exec", "download", "parse",
    ]  # fmt: skip
    assert parts["load"] is None  # this server tells nothing of it
    assert parts["exec"] == 0.01
    assert 0.08 <= parts["queue"] <= 0.09 + SLACK
    assert parts["prepare"] > 0
    assert parts["parse"] > 0


def test_what_is_not_told_is_unknown() -> None:
    told = Timing(prepare=0.1, e2e=1.0, exec=None, parse=0.1, wait=0.5)
    assert told.parts()["queue"] is None
    assert Timing(prepare=0.1, e2e=1.0, exec=0.2, parse=0.1).parts()["queue"] is None
