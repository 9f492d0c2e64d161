"""A deadline and a stop reach a try wherever it waits; a key reaches no log."""

from __future__ import annotations

import logging
import socket
import threading

import pytest

from rfhosted import errors
from rfhosted.keys import ApiKey
from rfhosted.transport.connection import Stop
from rfhosted.transport.request import Request
from rfhosted.transport.session import Transport
from support.raw_server import CLOSE, RawServer, response

KEY = "CANARYab12CD34ef56GH78"
#: Seconds that nothing here takes, unless it hangs.
FOREVER = 100


def send(url: str, *, timeout: float = FOREVER, stop: Stop | None = None, transport=None):
    transport = transport or Transport()
    return transport.send(Request(f"{url}/a/1"), ApiKey(KEY), timeout=timeout, retries=0, stop=stop)


@pytest.fixture
def full_listener():
    """A port that lets nobody connect: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for sock in waiting:
            sock.close()


@pytest.fixture
def silent_listener():
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def lookups(monkeypatch):
    """Host names -> addresses, or an event until which their lookup waits."""
    known: dict[str, object] = {}
    real = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        found = known.get(host)
        if isinstance(found, threading.Event):
            found.wait(FOREVER)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if found is None:
            return real(host, port, *args, **kwargs)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, to or port))
            for address, to in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture(params=["lookup", "connect", "several addresses", "handshake", "response"])
def waiting(request, lookups, full_listener, silent_listener):
    """The URL of a server at which a client waits for ever, at one place or another."""
    never = lookups["never.test"] = threading.Event()
    lookups["many.test"] = [("127.0.0.1", full_listener)] * 5
    yield {
        "lookup": "http://never.test",
        "connect": f"http://127.0.0.1:{full_listener}",
        "several addresses": "http://many.test",
        "handshake": f"https://127.0.0.1:{silent_listener}",
        "response": f"http://127.0.0.1:{silent_listener}",
    }[request.param]
    never.set()


def test_a_deadline_ends_every_wait(waiting) -> None:
    with pytest.raises(errors.UnreachableError, match=r"within 0\.3 s"):
        send(waiting, timeout=0.3)


def test_a_stop_ends_every_wait(waiting) -> None:
    stop = Stop()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(errors.UnreachableError, match="stopped"):
        send(waiting, stop=stop)


def test_an_address_that_does_not_respond_leaves_time_for_the_next(
    lookups, full_listener, scripted
) -> None:
    port = int(scripted.url.rpartition(":")[2])
    lookups["two.test"] = [("127.0.0.1", full_listener), ("127.0.0.1", port)]
    assert send("http://two.test", timeout=4).status == 200


def test_an_address_that_refuses_leaves_the_next(lookups, scripted) -> None:
    port = int(scripted.url.rpartition(":")[2])
    lookups["two.test"] = [("127.0.0.1", 1), ("127.0.0.1", port)]
    assert send("http://two.test").status == 200


def test_a_name_without_an_address_is_an_error(lookups) -> None:
    lookups["none.test"] = []
    with pytest.raises(errors.UnreachableError, match="no address"):
        send("http://none.test")


def test_a_name_that_is_not_found_is_named(lookups) -> None:
    event = lookups["unknown.test"] = threading.Event()
    event.set()
    with pytest.raises(errors.UnreachableError, match="name of the host"):
        send("http://unknown.test")


def test_ipv6_addresses(scripted) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6")
    with listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1 << 16)
                connection.sendall(response(200, b"{}"))

        threading.Thread(target=serve, daemon=True).start()
        assert send(f"http://[::1]:{listener.getsockname()[1]}").body == b"{}"


def test_a_connection_is_reused_only_after_an_ordinary_response() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    kinds = [
        response(200, b"{}"),
        early + response(200, b"{}"),
        response(200, b"{}") + b"more" * 9999,
    ]
    with RawServer(lambda number, head: [kinds[number]]) as server:
        transport, ports = Transport(), []
        accept = server._serve

        def counted(connection) -> None:
            ports.append(connection.getpeername()[1])
            accept(connection)

        server._serve = counted
        kinds += [response(200, b"{}")] * 2
        for _ in range(5):
            send(server.url, transport=transport)
    # The second request reuses the first's connection; its early hints end that. The third brings
    # more than it should, so the fourth has its own, which the fifth reuses.
    assert len(ports) == 3


def test_the_key_is_in_no_log(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    bad_headers = b"HTTP/1.1 200 OK\r\nno header: %b\r\nno header\r\nContent-Length: 2\r\n\r\n{}"
    with RawServer(lambda number, head: [bad_headers % KEY.encode(), CLOSE]) as server:
        send(server.url)
    assert any(record.name.startswith("urllib3.") for record in caplog.records)
    assert KEY not in caplog.text


def test_logs_of_others_stay(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("of %s", "another")
    assert caplog.records[0].args == ("another",)


def test_http_client_prints_nothing(scripted, monkeypatch, capsys) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    send(scripted.url)
    assert capsys.readouterr().out == ""
