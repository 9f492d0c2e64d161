"""Retries, deadlines and errors, against a server that behaves badly by script."""

from __future__ import annotations

import base64
import socket
import threading
import time

import pytest

from rfhosted import errors
from rfhosted.keys import ApiKey
from rfhosted.transport import connection
from rfhosted.transport.connection import Stop
from rfhosted.transport.request import Request
from rfhosted.transport.session import Transport
from support.recordings import recordings
from support.scripted import Response

ERRORS = [r for r in recordings() if r.status >= 400 and r.body]


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """Pauses between tries, not slept."""
    slept: list[float] = []
    monkeypatch.setattr(
        "rfhosted.transport.connection.Stop.wait", lambda _, seconds: slept.append(seconds)
    )
    return slept


def send(url: str, *, timeout=5.0, retries=3, key=None, in_header=False):
    request = Request(
        f"{url}/a/1", {"confidence": "0.4"}, b"body", "text/plain", key_in_header=in_header
    )
    return Transport().send(request, key, timeout=timeout, retries=retries)


@pytest.mark.parametrize("recording", ERRORS, ids=lambda r: r.name)
def test_recorded_errors_become_the_right_error(scripted, recording) -> None:
    scripted.respond(Response(recording.body, recording.status))
    expected = {
        400: errors.InvalidRequestError,
        401: errors.AuthenticationError,
        402: errors.PaymentRequiredError,
        403: errors.PermissionDeniedError,
        404: errors.ModelNotFoundError,
        405: errors.ModelNotFoundError,
        422: errors.InvalidRequestError,
        423: errors.PaymentRequiredError,
        500: errors.ServiceError,
        502: errors.ServiceError,
    }[recording.status]
    if b"Could not load input image" in recording.body:
        expected = errors.ImageError
    with pytest.raises(errors.HostedError) as caught:
        send(scripted.url, retries=0)
    error = caught.value
    assert type(error) is expected
    assert error.status == recording.status
    assert error.advice in str(error)
    body = recording.json
    words = body.get("message") or body["detail"]
    if isinstance(words, str):
        assert error.server_message == words[:300]
    else:  # a 422 names each parameter
        for problem in words:
            assert problem["msg"] in error.server_message
            assert ".".join(problem["loc"]) in error.server_message


@pytest.mark.parametrize(
    ("status", "kind"),
    [(408, errors.UnreachableError), (410, errors.UnsupportedError), (413, errors.TooLargeError),
     (418, errors.InvalidRequestError), (429, errors.RateLimitedError), (501, errors.ServiceError),
     (503, errors.ModelNotReadyError), (504, errors.ServiceError), (507, errors.ServiceError),
     (599, errors.ServiceError), (302, errors.UnreachableError), (202, errors.UnexpectedAnswerError)],
)  # fmt: skip
def test_every_status_has_its_error(scripted, status, kind) -> None:
    scripted.respond(Response(b"<html><b>Request Too Long</b></html>", status, {"location": "/x"}))
    with pytest.raises(kind, match=str(status)) as caught:
        send(scripted.url, retries=0)
    redirect = status == 302  # its body is not read
    assert caught.value.server_message == (None if redirect else "Request Too Long")


BODIES = {
    b'{"message": "no", "help_url": "x"}': "no",
    b'{"status": 401, "message": "no"}': "no",
    b'{"detail": "no"}': "no",
    b'{"error": "no", "hint": "x"}': "no",
    b'{"error": {"message": "no", "type": "AccessException"}}': "no",
    b'{"Message": "no"}': "no",
    b"": None,
    b"\xff\xfe": "\ufffd\ufffd",
}


@pytest.mark.parametrize("body", BODIES)
def test_the_servers_words_out_of_any_body(scripted, body) -> None:
    scripted.respond(Response(body, 403))
    with pytest.raises(errors.PermissionDeniedError) as caught:
        send(scripted.url)
    assert caught.value.server_message == BODIES[body]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_tried_again(scripted, pauses, status) -> None:
    scripted.respond(Response(status=status), Response())
    reply = send(scripted.url)
    assert reply.status == 200
    assert reply.retries == (str(status),)
    assert len(scripted.received) == 2
    assert scripted.received[0].body == scripted.received[1].body == b"body"
    assert 0.5 <= pauses[0] <= 0.8


def test_a_502_is_tried_again_once(scripted) -> None:
    scripted.respond(Response(status=502))
    with pytest.raises(errors.ServiceError, match="2 tries"):
        send(scripted.url, retries=5)
    assert len(scripted.received) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 423, 500, 501, 507])
def test_what_stays_is_not(scripted, status) -> None:
    scripted.respond(Response(status=status))
    with pytest.raises(errors.HostedError):
        send(scripted.url)
    assert len(scripted.received) == 1


def test_pauses_double_with_jitter_and_end(scripted, pauses) -> None:
    scripted.respond(Response(status=503))
    with pytest.raises(errors.ModelNotReadyError, match="5 tries"):
        send(scripted.url, retries=4, timeout=60)
    assert len(scripted.received) == 5
    for pause, least in zip(pauses, (0.5, 1, 2, 4), strict=True):
        assert least <= pause <= least + 0.3


def test_retry_after_is_honoured_up_to_a_cap(scripted, pauses) -> None:
    scripted.respond(Response(status=429, headers={"Retry-After": "7"}), Response())
    assert send(scripted.url, timeout=60).status == 200
    assert pauses == [7]
    scripted.respond(Response(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(errors.RateLimitedError, match="3600 s"):
        send(scripted.url, timeout=60)
    scripted.respond(Response(status=429, headers={"Retry-After": "soon"}), Response())
    assert send(scripted.url).status == 200


def test_all_of_it_has_a_budget(scripted, pauses) -> None:
    scripted.respond(Response(status=503, headers={"Retry-After": "9"}))
    with pytest.raises(errors.ModelNotReadyError):
        send(scripted.url, retries=50, timeout=4)  # 8 seconds in all: a pause of 9 is too long
    assert len(scripted.received) == 1
    assert pauses == []


def test_a_connection_that_was_never_made_is_tried_again(pauses) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = taken.getsockname()[1]
        with pytest.raises(errors.UnreachableError, match=r"refused.*3 tries") as caught:
            send(f"http://127.0.0.1:{port}", retries=2)
    assert len(pauses) == 2
    assert caught.value.status is None
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_hanging_up_before_a_response_is_tried_again(scripted) -> None:
    scripted.respond(Response(status=0), Response())
    assert send(scripted.url).status == 200


def test_a_response_cut_off_is_not(scripted) -> None:
    scripted.respond(Response(b"x" * 1000, cut=500))
    with pytest.raises(errors.UnreachableError, match="cut off"):
        send(scripted.url)
    assert len(scripted.received) == 1


def test_a_slow_response_ends_at_the_timeout(scripted) -> None:
    scripted.respond(Response(delay=20))
    began = time.monotonic()
    with pytest.raises(errors.UnreachableError, match=r"0\.5 s"):
        send(scripted.url, timeout=0.5)
    assert time.monotonic() - began < 15
    assert len(scripted.received) == 1


@pytest.mark.parametrize("close", [False, True])
def test_a_drip_does_not_outlive_the_timeout(scripted, close) -> None:
    headers = {"connection": "close"} if close else {}
    scripted.respond(Response(b"x" * 1000, headers=headers, drip=0.05))
    began = time.monotonic()
    with pytest.raises(errors.UnreachableError, match=r"0\.6 s"):
        send(scripted.url, timeout=0.6)
    assert time.monotonic() - began < 15


def test_a_drip_of_headers_does_not_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    for i in range(100):
                        connection.sendall(f"x-{i}: y\r\n".encode())
                        time.sleep(0.05)
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(errors.UnreachableError, match=r"0\.5 s"):
            send(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.5, retries=0)
        assert time.monotonic() - began < 15
        thread.join()


def test_connections_are_reused(scripted) -> None:
    transport = Transport()
    seen = set()
    real = scripted.get_request

    def counted():
        connection, address = real()
        seen.add(address)
        return connection, address

    scripted.get_request = counted
    for _ in range(5):
        transport.send(Request(f"{scripted.url}/a/1"), None, timeout=5, retries=0)
    assert len(seen) == 1


def test_a_proxy_of_the_environment_is_not_used_for_loopback(scripted, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert send(scripted.url).status == 200


def test_where_the_key_goes(scripted) -> None:
    send(scripted.url, key=ApiKey("k3y"), in_header=True)
    send(scripted.url, key=ApiKey("k3y"))
    send(scripted.url)
    header, query, none = scripted.received
    assert header.headers["authorization"] == "Bearer k3y"
    assert "api_key" not in header.query
    assert query.query == {"confidence": "0.4", "api_key": "k3y"}
    assert "authorization" not in query.headers
    assert "authorization" not in none.headers
    assert "api_key" not in none.query


def test_netrc_is_not_read(scripted, monkeypatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    send(scripted.url)
    assert "authorization" not in scripted.received[0].headers


def test_images_from_urls(scripted, images) -> None:
    data = (images / "scene.jpg").read_bytes()
    scripted.respond(Response(data, headers={"content-type": "image/jpeg"}))
    assert Transport().download(f"{scripted.url}/a.jpg?sig=s3cret", timeout=5) == data
    assert "authorization" not in scripted.received[0].headers


def test_an_image_served_as_text_is_fetched(scripted) -> None:
    scripted.respond(Response(b"the bytes decide", headers={"content-type": "text/plain"}))
    assert Transport().download(f"{scripted.url}/a.jpg", timeout=5) == b"the bytes decide"


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("user:pass", "user:pass"),
        ("us%40er:pa%3Ass", "us@er:pa:ss"),
        ("user", "user:"),
        (":pass", ":pass"),
        ("us\u00e9r:p%C3%A4ss", "us\u00e9r:p\u00e4ss"),
    ],
)
def test_user_and_password_of_a_url_are_sent(scripted, login, expected) -> None:
    scripted.respond(Response(b"image"))
    Transport().download(scripted.url.replace("//", f"//{login}@") + "/a.jpg", timeout=5)
    sent = base64.b64decode(scripted.received[0].headers["authorization"].removeprefix("Basic "))
    assert sent.decode() == expected


@pytest.mark.parametrize("url", ["http://", "https://[::1", "http:///a.jpg?sig=s3cret"])
def test_a_url_without_a_host_is_invalid(url) -> None:
    with pytest.raises(errors.ImageError) as caught:
        Transport().download(url, timeout=1)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_user_password_and_path_of_a_url_stay_out_of_errors(scripted) -> None:
    scripted.respond(Response(b"no", 401))
    url = scripted.url.replace("//", "//s3cret:s3cret@") + "/s3cret/a.jpg?api_key=s3cret#s3cret"
    with pytest.raises(errors.ImageError) as caught:
        Transport().download(url, timeout=5)
    assert "127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(b"no", 404), "404"),
        (Response(b"x" * 2000), "more than 1,000 bytes"),
        (Response(b"x" * 500, drip=0.05), r"within 0\.5 s"),
        (Response(status=0), "could not be fetched"),
    ],
)
def test_urls_that_give_no_image_say_why(scripted, monkeypatch, response, reason) -> None:
    monkeypatch.setattr("rfhosted.outputs.limits.LARGEST_DOWNLOAD", 1000)
    scripted.respond(response)
    with pytest.raises(errors.ImageError, match=reason) as caught:
        Transport().download(f"{scripted.url}/a.jpg?sig=s3cret", timeout=0.5)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_request_is_stopped_from_another_thread(scripted):
    scripted.respond(Response(delay=60))
    stop = Stop()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(errors.UnreachableError, match="stopped"):
        Transport().send(Request(f"{scripted.url}/a/1"), None, timeout=50, retries=3, stop=stop)
    assert len(scripted.received) == 1


@pytest.mark.parametrize(
    ("target", "sent"),
    [("/b", True), ("{url}/b", True), ("{other}/b", False), ("//localhost:{port}/b", False)],
)
def test_a_login_goes_to_no_other_host(scripted, target, sent) -> None:
    other = scripted.url.replace("127.0.0.1", "localhost")
    port = scripted.url.rpartition(":")[2]
    location = target.format(url=scripted.url, other=other, port=port)
    scripted.respond(Response(status=302, headers={"location": location}), Response(b"image"))
    Transport().download(scripted.url.replace("//", "//user:pass@") + "/a", timeout=20)
    assert ["authorization" in received.headers for received in scripted.received] == [True, sent]


def test_netrc_is_not_read_after_a_redirect_either(scripted, monkeypatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    scripted.respond(Response(status=302, headers={"location": "/b"}), Response(b"image"))
    Transport().download(f"{scripted.url}/a", timeout=20)
    assert not any("authorization" in received.headers for received in scripted.received)


def test_what_was_stopped_is_not_tried_again(scripted, monkeypatch):
    stop = Stop()
    monkeypatch.setattr("rfhosted.transport.connection.Stop.wait", lambda *_: stop.set())
    scripted.respond(Response(status=503))
    with pytest.raises(errors.ModelNotReadyError):
        Transport().send(Request(f"{scripted.url}/a/1"), None, timeout=20, retries=3, stop=stop)
    assert len(scripted.received) == 1


def test_what_was_stopped_before_is_never_sent(scripted):
    stop = Stop()
    stop.set()
    with pytest.raises(errors.UnreachableError, match="stopped"):
        Transport().send(Request(f"{scripted.url}/a/1"), None, timeout=20, retries=3, stop=stop)
    assert not scripted.received


def test_a_stop_right_after_connecting_closes_the_socket(scripted, monkeypatch):
    stop, sockets = Stop(), []
    connect = connection._Watched._connected

    def connect_and_stop(self, attempt):
        sockets.append(connect(self, attempt))
        stop.set()
        return sockets[0]

    monkeypatch.setattr(connection._Watched, "_connected", connect_and_stop)
    with pytest.raises(errors.UnreachableError, match="stopped"):
        Transport().send(Request(f"{scripted.url}/a/1"), None, timeout=20, retries=3, stop=stop)
    assert sockets[0].fileno() == -1
    assert not scripted.received
