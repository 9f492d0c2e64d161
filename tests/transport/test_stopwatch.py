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


def send(url: str, *, transport=None, nbytes: int = 4):
    request = Request(f"{url}/a/1", body=bytes(nbytes), content_type="text/plain")
    return (transport or Transport()).send(request, None, timeout=20, retries=0)


class SlowLink:
    """A server behind a link of ``rate`` bytes a second; it responds when it has everything."""

    def __init__(self, rate: float) -> None:
        self.listener = socket.socket()
        # As on a real link: small segments, and no more in flight than the link takes.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(rate,), daemon=True).start()

    def _serve(self, rate: float) -> None:
        with self.listener.accept()[0] as connection:
            self._respond(connection, rate)

    def _respond(self, connection: socket.socket, rate: float) -> None:
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


@pytest.mark.skipif(not hasattr(socket, "TCP_MAXSEG"), reason="the link needs small segments")
def test_an_upload_lasts_until_the_other_side_has_it() -> None:
    link = SlowLink(rate=200_000)
    split = send(link.url, nbytes=120_000).split  # well within what the system would buffer
    # 8 to 16 kB and two segments are still on their way when the rest is acknowledged.
    assert split.upload >= 0.45
    assert split.wait >= 0.2
    link.listener.close()


def test_wait_and_download(scripted) -> None:
    scripted.respond(Response(body=b"12345", delay=0.2, drip=0.05))
    split = send(scripted.url).split
    assert split.wait >= 0.2
    assert split.download >= 0.2


def test_connect_holds_the_name_lookup_and_is_zero_when_reused(scripted, monkeypatch) -> None:
    real = socket.getaddrinfo

    def slow(*args, **kwargs):
        time.sleep(0.2)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    transport = Transport()
    url = scripted.url.replace("127.0.0.1", "localhost")
    first, second = (send(url, transport=transport).split for _ in range(2))
    assert first.connect >= 0.2
    assert second.connect == 0


def test_the_parts_make_up_the_whole(scripted) -> None:
    scripted.respond(Response(body=b"123", delay=0.05, drip=0.01))
    reply = send(scripted.url)
    parts = reply.split
    assert parts.connect + parts.upload + parts.wait + parts.download == pytest.approx(reply.e2e)


def test_a_system_that_does_not_report_it_leaves_it_unknown(scripted, monkeypatch) -> None:
    def silent(sock):
        raise OSError

    monkeypatch.setattr(stopwatch, "_unacknowledged", silent)
    split = send(scripted.url).split
    assert split.upload is None
    assert split.wait is None
    assert split.download is not None


def test_a_server_that_refuses_without_reading_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            with listener.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                stop.wait(60)

        stop = threading.Event()
        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(rfhosted.TooLargeError):  # and no timeout
            send(f"http://127.0.0.1:{listener.getsockname()[1]}", nbytes=3_500_000)
        stop.set()


def test_a_prediction_carries_the_split(scripted) -> None:
    scripted.respond(Response(delay=0.1))  # its body reports 10 ms of Exec
    client = rfhosted.Client(base_url=scripted.url)
    parts = client.predict(rfhosted.sample("cat"), "a/1", task="object-detection").timing.parts()
    assert list(parts) == [
        "prepare", "connect", "upload", "queue", "load", "exec", "download", "parse",
    ]  # fmt: skip
    assert parts["load"] is None  # this server does not report it
    assert parts["exec"] == 0.01
    assert parts["queue"] >= 0.09
    assert parts["prepare"] > 0
    assert parts["parse"] > 0


def test_what_is_not_reported_is_unknown() -> None:
    timing = Timing(prepare=0.1, e2e=1.0, exec=None, parse=0.1, wait=0.5)
    assert timing.parts()["queue"] is None
    assert Timing(prepare=0.1, e2e=1.0, exec=0.2, parse=0.1).parts()["queue"] is None
