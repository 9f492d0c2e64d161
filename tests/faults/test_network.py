"""Faults of sockets, of HTTP, of bodies and of the system's settings, each with what a user gets.

Every fault ends in time and in bounded memory: in the error that the table names, or in a prediction
where the response is one. The key is shown nowhere, and the next request to the same server gets
its own response.
"""

from __future__ import annotations

import functools
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from support.client_run import KEY, Setup, predict
from support.raw_server import (
    CLOSE,
    RESET,
    STALL,
    Drip,
    Endless,
    RawServer,
    Step,
    chunked,
    response,
)
from support.weighed import weighed

#: Seconds until a fault that does not end is called a hang. Timeouts are 20 at most.
LONGEST = 60
LARGEST = 400  # MB

UNREACHABLE, UNEXPECTED, SERVICE = "UnreachableError", "UnexpectedAnswerError", "ServiceError"
IMAGE, LIMITED, INVALID = "ImageError", "RateLimitedError", "InvalidRequestError"
FINE = None


def found(name: str = "dog") -> bytes:
    """A response with one object."""
    box = {"x": 50, "y": 50, "width": 20, "height": 10, "confidence": 0.9, "class": name}
    body = {"time": 0.01, "image": {"width": 300, "height": 200}, "predictions": [box]}
    return json.dumps(body).encode()


OK = response(200, found())
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: Of the test.
        error: The exception's name; None for a prediction.
        steps: Of the response to the first request; a function where they are large.
        setup: How the client is used.
    """

    name: str
    error: str | None
    steps: Iterable[Step] | Callable[[], Iterable[Step]] = field(repr=False)
    setup: Setup = field(default_factory=Setup)


@functools.cache
def bomb(bits: int = 31) -> bytes:
    """500 MB of blanks, compressed."""
    packer = zlib.compressobj(1, zlib.DEFLATED, bits)
    return b"".join(packer.compress(b" " * 10**6) for _ in range(500)) + packer.flush()


def noted(text: bytes) -> bytes:
    """A response with 39 MB of a text beside its object."""
    return found()[:-1] + b',"note":"' + text * (39_000_000 // len(text)) + b'"}'


def encoded(encoding: str, body: bytes, status: int = 200) -> bytes:
    return response(status, body, [("Content-Encoding", encoding)])


def headed(*lines: str, body: bytes = found()) -> bytes:
    """A response of status 200 with these header lines and no others."""
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1") + body


LENGTH = f"Content-Length: {len(found())}"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
CHUNKS = response(200, headers=[("Transfer-Encoding", "chunked")], length="")

SOCKETS = [
    Fault("closed at once", UNREACHABLE, [CLOSE]),
    Fault("reset at once", UNREACHABLE, [RESET]),
    Fault("silence", UNREACHABLE, [STALL]),
    Fault("closed in the status line", UNREACHABLE, [b"HTTP/1.", CLOSE]),
    Fault("closed in the headers", UNEXPECTED, [OK[:40], CLOSE]),
    Fault("closed in the body", UNREACHABLE, [OK[:-10], CLOSE]),
    Fault("reset in the body", UNREACHABLE, [OK[:-10], 0.1, RESET]),
    Fault("silence in the headers", UNREACHABLE, [OK[:40], STALL]),
    Fault("silence in the body", UNREACHABLE, [OK[:-10], STALL]),
    Fault("a drip of headers", UNREACHABLE, [Drip(OK, 0.3)]),
    Fault("a drip of the body", UNREACHABLE, [OK[:-20], Drip(OK[-20:], 0.4)]),
    Fault("a drip until the end of the connection", UNREACHABLE,
          [response(200, length=""), Drip(found(), 0.3), CLOSE]),
    Fault("in pieces", FINE, [OK[:9], 0.05, OK[9:50], 0.05, OK[50:-1], 0.05, OK[-1:]]),
    Fault("closed after it", FINE, [OK, CLOSE]),
    Fault("closed after a body without a length", FINE, [response(200, found(), length=""), CLOSE]),
]  # fmt: skip

HTTP = [
    Fault("no HTTP", UNREACHABLE, [b"220 mail.example.com ESMTP\r\n"]),
    Fault("TLS", UNREACHABLE, [bytes.fromhex("15030300020246"), STALL]),
    Fault("zeros", UNREACHABLE, [Endless(bytes(65536))]),
    Fault("an endless status line", UNREACHABLE, [b"HTTP/1.1 200 ", Endless(b"x" * 65536)]),
    Fault("an empty status line", UNREACHABLE, [b"\r\n\r\n"]),
    *(Fault(f"status {status}", UNREACHABLE, [response(status, found())])
      for status in ("abc", "-1", "0", "99", "1000", "²")),
    Fault("HTTP/2", UNREACHABLE, [b"HTTP/2.0 200 OK\r\n" + OK.partition(b"\r\n")[2]]),
    Fault("HTTP/1.0", FINE, [b"HTTP/1.0 200 OK\r\n" + OK.partition(b"\r\n")[2]]),
    Fault("no reason", FINE, [b"HTTP/1.1 200\r\n" + OK.partition(b"\r\n")[2]]),
    Fault("line ends without a return", FINE, [OK.replace(b"\r\n", b"\n")]),
    Fault("early hints", FINE, [EARLY, 0.1, OK]),
    Fault("early hints at once with it", FINE, [EARLY + OK]),
    Fault("several interim responses", FINE,
          [EARLY, b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n", EARLY, OK]),
    Fault("an interim response with a length", FINE,
          [b"HTTP/1.1 103 X\r\nContent-Length: 0\r\n\r\n" + OK]),
    Fault("an unknown interim response", FINE, [b"HTTP/1.1 199 X\r\n\r\n", OK]),
    Fault("only interim responses", UNREACHABLE, [EARLY, STALL]),
    Fault("endless interim responses", UNREACHABLE, [Endless(EARLY * 100)]),
    Fault("endless continues", UNREACHABLE, [Endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)], Setup({"timeout": 1})),
    Fault("another protocol", UNEXPECTED, [b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n", OK]),
    Fault("200 headers", UNREACHABLE, [headed(*(f"X-{i}: y" for i in range(200)), LENGTH)]),
    Fault("endless headers", UNREACHABLE, [OK[:17], Endless(b"X-A: b\r\n" * 5000)]),
    Fault("a header of 100 kB", UNREACHABLE, [headed("X: " + "y" * 100_000, LENGTH)]),
    Fault("an endless header", UNREACHABLE, [OK[:17], b"X: ", Endless(b"x" * 65536)]),
    Fault("a line that is no header", FINE, [headed(LENGTH, "no header here"), CLOSE]),
    Fault("a line that is no header and names the key", FINE, [headed(LENGTH, KEY), CLOSE]),
    Fault("a folded header", FINE, [headed("X: a\r\n b", LENGTH)]),
    Fault("control characters in a header", FINE, [headed("X: a\x00\x1b[31m\x7f", LENGTH)]),
    Fault("bytes in a header", FINE, [headed("X: \xff\xfe", LENGTH)]),
    Fault("60 kB of cookies in 90 headers", FINE,
          [headed(*(["Set-Cookie: " + 'a="\\' * 16_000] * 90), LENGTH)]),
    Fault("no content type", FINE, [headed(LENGTH)]),
    Fault("another content type", FINE, [response(200, found(), kind="text/plain; charset=x")]),
    Fault("no length and no end", UNREACHABLE, [headed("X: y"), STALL]),
    Fault("two lengths", UNREACHABLE, [headed("Content-Length: 3", LENGTH)]),
    Fault("the same length twice", FINE, [headed(LENGTH, LENGTH), CLOSE]),
    *(Fault(f"a length of {length}", FINE, [response(200, found(), length=length), CLOSE])
      for length in ("-1", "x", "1e3")),
    Fault("a length of 400 digits", UNREACHABLE, [response(200, found(), length="9" * 400), CLOSE]),
    Fault("a length of 5000 digits", FINE, [response(200, found(), length="9" * 5000), CLOSE]),
    Fault("a length of nothing", UNEXPECTED, [response(200, found(), length=0)]),
    Fault("more than its length", FINE, [OK + b"more"]),
    Fault("a second response", FINE, [OK + response(200, found("second"))]),
    Fault("a second response, soon", FINE, [OK, response(200, found("second"))]),
    Fault("more than its length, megabytes", FINE, [OK + b"HTTP/1.1 200 X\r\n" * 100_000]),
    Fault("204 with a body", UNEXPECTED, [response(204, found())]),
    Fault("205 with a body", UNEXPECTED, [response(205, found())]),
    Fault("304 with a body", UNREACHABLE, [response(304, found())]),
    Fault("202", UNEXPECTED, [response(202, found())]),
    Fault("206", UNEXPECTED, [response(206, found())]),
    Fault("chunks", FINE, [chunked(found()[:9], found()[9:])]),
    Fault("chunks and a length", FINE,
          [chunked(found()).replace(b"\r\n", b"\r\nContent-Length: 3\r\n", 1)]),
    Fault("chunks with a trailer", FINE, [chunked(found(), end=b"0\r\nX: y\r\n\r\n")]),
    Fault("chunks without an end", UNREACHABLE, [chunked(found(), end=b""), CLOSE]),
    Fault("chunks that stall", UNREACHABLE, [chunked(found(), end=b""), STALL]),
    Fault("a chunk that is cut", UNREACHABLE, [CHUNKS + b"fff\r\n{}", CLOSE]),
    Fault("a chunk of size x", UNREACHABLE, [CHUNKS + b"x\r\n{}\r\n0\r\n\r\n"]),
    Fault("a chunk of size -1", UNREACHABLE, [CHUNKS + b"-1\r\n{}\r\n0\r\n\r\n"]),
    Fault("an endless chunk of size -1", UNREACHABLE, [CHUNKS + b"-1\r\n", Endless(b" " * 10**6)]),
    Fault("a chunk of size 2**70", UNREACHABLE, [CHUNKS + b"%x\r\n{}" % 2**70, CLOSE]),
    Fault("a chunk without its end", UNREACHABLE, [CHUNKS + b"2\r\n{}0\r\n\r\n", CLOSE]),
    Fault("an endless chunk size", UNREACHABLE, [CHUNKS, Endless(b"0" * 65536)]),
    Fault("an endless chunk extension", UNREACHABLE, [CHUNKS + b"2;x=", Endless(b"y" * 65536)]),
    Fault("an endless trailer", UNREACHABLE, [CHUNKS + b"0\r\nX: ", Endless(b"y" * 65536)]),
    Fault("endless trailers", UNREACHABLE, [CHUNKS + b"0\r\n", Endless(b"X: y\r\n" * 5000)], Setup({"timeout": 1})),
    Fault("endless chunks", UNEXPECTED, [CHUNKS, Endless(b"ffff\r\n%b\r\n" % (b" " * 0xFFFF))]),
    Fault("another transfer encoding", UNREACHABLE,
          [headed("Transfer-Encoding: gzip, chunked"), STALL]),
]  # fmt: skip

BODIES = [
    *(Fault(f"a body: {name}", UNEXPECTED, [response(200, body)]) for name, body in {
        "nothing": b"", "blanks": b"  \n", "HTML": b"<html><p>Sign in", "null": b"null", "[]": b"[]",
        "text": b'"x"', "a number": b"1", "a number of 5000 digits": b"9" * 5000, "{}": b"{}",
        "cut": found()[:-5], "two": found() * 2, "a comma too many": found()[:-1] + b",}",
        "zeros": bytes(1000), "bytes": b"\xff" * 1000, "a picture": PNG,
        "a list in 100,000 lists": b"[" * 100_000 + b"]" * 100_000,
        "open lists": b"[" * 10**6, "open objects": b'{"a":' * 10**5,
        "objects in objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "predictions in 500 lists": b'{"predictions":' + b"[" * 500 + b"]" * 500 + b"}",
    }.items()),
    *(Fault(f"a body: {name}", UNEXPECTED, lambda f=body: [response(200, f())]) for name, body in {
        "10 million lists": lambda: b'{"predictions":[' + b"[]," * 10**7 + b"[]]}",
        "10 million objects": lambda: b'{"predictions":[' + b"{}," * 10**7 + b"{}]}",
        "18 million numbers": lambda: b'{"predictions":[' + b"1," * 18 * 10**6 + b"1]}",
        "3 million names": lambda: b"{" + b",".join(b'"%x":1' % i for i in range(3 * 10**6)) + b"}",
        "60 MB of lists": lambda: b'{"predictions":[' + b"[]," * 2 * 10**7 + b"[]]}",
    }.items()),
    *(Fault(f"39 MB of {name}", FINE, lambda f=text: [response(200, noted(f))]) for name, text in {
        "emoji": "🐶".encode(), "escapes": rb"\u0041", "percent signs": b"%25", "letters": b"a",
    }.items()),
    Fault("39 MB of blanks", FINE, lambda: [response(200, found() + b" " * 39_000_000)]),
    Fault("an endless body", UNEXPECTED, [response(200, length=10**12), Endless(b" " * 10**6)]),
    Fault("an endless body without a length", UNEXPECTED,
          [response(200, length=""), Endless(b" " * 10**6)]),
    Fault("UTF-16", FINE, [response(200, found().decode().encode("utf-16"))]),
    Fault("a byte-order mark", FINE, [response(200, b"\xef\xbb\xbf" + found())]),
    Fault("surrogates", FINE, [response(200, found(r"\ud800"))]),
    Fault("gzip", FINE, [encoded("gzip", gzip.compress(found()))]),
    Fault("gzip in two parts", FINE,
          [encoded("gzip", gzip.compress(found()[:9]) + gzip.compress(found()[9:]))]),
    Fault("gzip in capitals", FINE, [encoded("GZIP", gzip.compress(found()))]),
    Fault("deflate", FINE, [encoded("deflate", zlib.compress(found()))]),
    Fault("gzip that is none", UNREACHABLE, [encoded("gzip", found())]),
    Fault("gzip that is cut", UNEXPECTED, [encoded("gzip", gzip.compress(found() * 99)[:-30])]),
    Fault("gzip that drips", UNREACHABLE,
          [encoded("gzip", gzip.compress(found()))[:-60], Drip(gzip.compress(found())[-60:], 0.2)]),
    Fault("a bomb of gzip", UNEXPECTED, lambda: [encoded("gzip", bomb())]),
    Fault("a bomb of deflate", UNEXPECTED, lambda: [encoded("deflate", bomb(15))]),
    Fault("a bomb of raw deflate", UNEXPECTED, lambda: [encoded("deflate", bomb(-15))]),
    Fault("a bomb in a bomb", UNREACHABLE, lambda: [encoded("gzip, gzip", gzip.compress(bomb()))]),
    *(Fault(f"encoded as {name}", UNREACHABLE, [encoded(name, b"x" * 1000)])
      for name in ("br", "zstd", "x", "gzip, " * 50 + "gzip")),
]  # fmt: skip


def page(name: str, body: bytes, status: int = 500, error: str = SERVICE, **headers: str) -> Fault:
    """An error of a server."""
    named = [(header.replace("_", "-"), value) for header, value in headers.items()]
    return Fault(f"{status}: {name}", error, [response(status, body, named, kind="text/html")])


ERRORS = [
    page("nothing", b""),
    page("400 kB of <", b"<" * 400_000),
    page("tags that do not end", b"<html>" + b"<p " * 300_000, 404, "ModelNotFoundError"),
    page("comments that do not end", b"<!--" * 200_000),
    page("quotes", b'<a href="' * 100_000),
    page("a tag of 1 MB", b"<" + b"a" * 10**6 + b">"),
    page("entities", b"&#" + b"9" * 6000 + b";&#x110000;&nope;&" * 1000),
    page("open lists", b"[" * 100_000),
    page("lists in lists", b'{"message":' + b"[" * 900 + b"]" * 900 + b"}"),
    page("a number of 5000 digits", b'{"message": ' + b"9" * 5000 + b"}"),
    page("no words", b'{"message": null, "detail": 1}'),
    page("control characters", b'{"message": "\\u001b]0;x\\u0007\\ud800\\u202e"}'),
    page("combining marks", b'{"message": "' + "a\u0301\u0323".encode() * 20_000 + b'"}'),
    page("bytes", b"\xff\xfe" * 50_000),
    page("a detail without a place", b'{"detail": [{"loc": null, "msg": "m"}]}', 422, INVALID),
    page("details of any kind", b'{"detail": [1, null, [], {"loc": 5}, {"msg": []}]}', 422, INVALID),
    page("100,000 details", b'{"detail": [%b]}' % b",".join([b'{"loc": [1]}'] * 9000), 422, INVALID),
    page("5 MB", b"x" * 5_000_000),
    Fault("500: without end", SERVICE, [response(500, length=10**12), Endless(b"<" * 10**6)]),
    Fault("500: a bomb", SERVICE, lambda: [encoded("gzip", bomb(), 500)]),
    Fault("401: cut", UNREACHABLE, [response(401, b"{}", length=50), CLOSE]),
    *(Fault(f"Retry-After: {value[:30]}, {len(value)}", error,
            [response(429, b"{}", [("Retry-After", value)])], Setup({"retries": 1}))
      for error, value in (
          (LIMITED, "9" * 300), (LIMITED, "86401"), (LIMITED, "Wed, 21 Oct 9999 07:28:00 GMT"),
          (LIMITED, "Fri, 31 Dec 9999 23:59:59 -9999"),
          *((FINE, nonsense) for nonsense in (
              "", "²", "9" * 5000, "-5", "1e9", "nan", "inf", "soon", "0x10", "\x00",
              "Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 99 Foo 2015 99:99:99 GMT",
              "Wed, 21 Oct 1015 07:28:00 GMT")),
      )),
]  # fmt: skip

ELSEWHERE = [
    *(Fault(f"redirect {status} to {where[:30]}", UNREACHABLE,
            [response(status, b"{}", [("Location", where)])])
      for status, where in (
          (301, "/x/1"), (302, "https://example.com/"), (303, "/fault/1"), (307, "/fault/1"),
          (308, "http://[::1"), (307, "file:///etc/passwd"), (307, "\xff"), (300, "x" * 60_000),
          (307, f"/x?api_key={KEY}"),
      )),
    Fault("a redirect to nowhere", UNREACHABLE, [response(307)]),
    Fault("a redirect with 2 GB", UNREACHABLE,
          [response(307, headers=[("Location", "/x/1")], length=2 * 10**9), Endless(b" " * 10**6)]),
    Fault("a redirect with a bomb", UNREACHABLE,
          lambda: [response(302, bomb(), [("Location", "/x/1"), ("Content-Encoding", "gzip")])]),
    Fault("a redirect that drips", UNREACHABLE,
          [response(302, headers=[("Location", "/x/1")], length=1000), Drip(b"x" * 1000, 0.1)]),
]  # fmt: skip

FAULTS = [*SOCKETS, *HTTP, *BODIES, *ERRORS, *ELSEWHERE]


def cases(faults: Iterable[Fault]) -> list[object]:
    """Parameters of a test; the large ones run in CI."""
    slow = pytest.mark.slow
    return [pytest.param(f, marks=slow if callable(f.steps) else (), id=f.name) for f in faults]


def check(
    fault: Fault, url: str, *, after: str | None = "after/2", steps: Iterable[Step] = ()
) -> str:
    """Meet one fault; the text of the error."""
    waits = any(step == STALL or isinstance(step, Drip) for step in steps)
    timeout = 1 if waits and fault.error in (UNREACHABLE, IMAGE) else 20
    setup = replace(fault.setup, options={"timeout": timeout} | fault.setup.options)
    measured = weighed(predict, url, setup, seconds=LONGEST)
    outcome = measured.value
    assert outcome is not None, "it hangs, or took all the memory"
    assert outcome.error == fault.error, outcome.message
    assert outcome.error is None or outcome.typed
    assert measured.megabytes < LARGEST
    assert KEY not in outcome.shown
    assert outcome.message.isprintable()
    assert outcome.after == after
    return outcome.message


@pytest.mark.parametrize("fault", cases(FAULTS))
def test_a_fault_ends_well(fault) -> None:
    steps = fault.steps() if callable(fault.steps) else fault.steps

    def behave(number: int, head: str) -> Iterable[Step]:
        if number == 0:
            return steps
        return [response(200, found(head.split()[1].partition("?")[0][1:]))]

    with RawServer(behave) as server:
        check(fault, server.url, steps=steps)


def pointed(status: int, target: str, *more: tuple[str, str], length: int | None = None) -> bytes:
    """A redirect."""
    return response(status, headers=[("Location", target), *more], length=length)


IMAGES = [
    Fault("nothing", IMAGE, [response(200)]),
    Fault("a page", IMAGE, [response(200, b"<!DOCTYPE html><title>Sign in</title>")]),
    Fault("404", IMAGE, [response(404, b"no")]),
    Fault("204", IMAGE, [response(204)]),
    Fault("closed", IMAGE, [CLOSE]),
    Fault("silence", IMAGE, [STALL]),
    Fault("cut", IMAGE, [response(200, PNG[:-20], length=len(PNG)), CLOSE]),
    Fault("a drip", IMAGE, [response(200, length=len(PNG)), Drip(PNG, 0.3)]),
    Fault("an image", FINE, [response(200, PNG, kind="image/png")]),
    Fault("an image that is called text", FINE, [response(200, PNG, kind="text/plain")]),
    Fault("an image in gzip", FINE, lambda: [encoded("gzip", gzip.compress(PNG))]),
    Fault("an image after early hints", FINE, [EARLY, response(200, PNG)]),
    Fault("without an end", IMAGE, [response(200, length=""), Endless(b"x" * 10**6)]),
    Fault("a bomb of gzip", IMAGE, lambda: [encoded("gzip", bomb())]),
    Fault("redirected to nowhere", IMAGE, [response(302)]),
    Fault("an image that names a location", FINE, [response(200, PNG, [("Location", "/x")])]),
    Fault("redirected to itself", IMAGE, [pointed(302, "/image")]),
    Fault("redirected to itself, slowly", IMAGE, [Drip(pointed(302, "/image"), 0.02)]),
    Fault("a redirect with 2 GB", IMAGE,
          [pointed(302, "/image", length=2 * 10**9), Endless(b" " * 10**6)]),
    Fault("a redirect with a bomb", IMAGE,
          lambda: [pointed(302, "/x", ("Content-Encoding", "gzip"), length=len(bomb())), bomb()]),
    Fault("a redirect that stalls", IMAGE, [pointed(302, "/image", length=100), b"abc", STALL]),
    *(Fault(f"redirected to {target[:30]!r}", IMAGE, [pointed(302, target)])
      for target in ("file:///etc/passwd", "ftp://127.0.0.1/a", "data:image/png;base64,AA", "//",
                     "http://", "http://[::1", "http://127.0.0.1:99999/", "http://127.0.0.1:1/",
                     "http://a b/", "\xff\xfe", "http://" + "a" * 300, "http://x:y@[", "#", "?",
                     "http://\u0130.example".encode().decode("latin-1"), "x" * 60_000)),
]  # fmt: skip


@pytest.mark.parametrize("fault", cases(IMAGES))
def test_a_fault_of_an_image_url_ends_well(fault) -> None:
    steps = fault.steps() if callable(fault.steps) else fault.steps
    with RawServer(lambda number, head: steps) as server:
        setup = Setup(image=f"{server.url}/image")
        message = check(
            Fault(fault.name, fault.error, steps, setup), server.url, after=None, steps=steps
        )
    assert "/image" not in message  # a path may hold a secret


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://:80/a", "http://a:b@/", "HTTPS://127.0.0.1:99999/",
            "http://127.0.0.1:x/", "http://127.0.0.1:1/", "http://a b/", "http://\ud800/",
            "http://" + "a" * 300 + "/", "http://user:\u00fc@127.0.0.1:1/", "http://..../", "http://%/"],
)  # fmt: skip
def test_an_image_url_that_leads_nowhere_ends_well(url) -> None:
    setup = Setup(image=url, environment={"NO_PROXY": "*"})
    check(Fault(url, IMAGE, (), setup), "http://127.0.0.1:1", after=None)


HOSTED = {"base_url": "http://api.invalid"}
PROXIES = [
    ("refuses", {"HTTP_PROXY": "http://127.0.0.1:1"}, "NO_PROXY"),
    ("is SOCKS", {"ALL_PROXY": "socks5h://127.0.0.1:1080"}, "requests[socks]"),
    ("is of no kind", {"HTTP_PROXY": "gopher://127.0.0.1:1"}, "HTTP_PROXY"),
    ("has no host", {"HTTP_PROXY": "http://:1"}, "HTTP_PROXY"),
    ("has no port", {"HTTP_PROXY": "http://127.0.0.1:99999"}, "HTTP_PROXY"),
    ("is nonsense", {"HTTP_PROXY": "http://["}, "HTTP_PROXY"),
    ("has no name", {"HTTP_PROXY": "http://proxy.invalid:8080"}, "NO_PROXY"),
]


@pytest.mark.parametrize(
    ("environment", "advice"), [p[1:] for p in PROXIES], ids=[p[0] for p in PROXIES]
)
def test_a_proxy_that_does_not_work_is_named(environment, advice) -> None:
    setup = Setup(HOSTED, environment)
    message = check(Fault("", UNREACHABLE, (), setup), "", after=UNREACHABLE)
    assert advice in message


@pytest.mark.parametrize("steps", [
    [response(407, b"{}")], [b"HTTP/1.1 200 OK\r\n\r\n", b"no TLS"], [STALL], [CLOSE], [Drip(OK, 0.3)],
    [Endless(b"X: y\r\n" * 1000)],
], ids=range(6))  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_fault_of_a_proxy_ends_well(scheme, steps) -> None:
    with RawServer(lambda number, head: steps) as proxy:
        setup = Setup({"base_url": f"{scheme}://api.invalid", "timeout": 1}, {
            "HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url,
        })  # fmt: skip
        measured = weighed(predict, "", setup, seconds=LONGEST)
    assert measured.value is not None, "it hangs"
    assert measured.value.typed
    assert KEY not in measured.value.shown


def test_a_proxy_is_used_and_timed() -> None:
    with RawServer(lambda number, head: [OK]) as proxy:
        setup = Setup(HOSTED, {"HTTP_PROXY": proxy.url})
        check(Fault("", FINE, (), setup), "", after="dog")
    assert proxy.heads[0].startswith("POST http://api.invalid/fault/1?")


CERTIFICATES = Path(__file__).with_name("self_signed.pem")


@pytest.mark.parametrize("name", ["missing", "empty", "not a certificate"])
def test_a_certificate_file_that_cannot_be_read_is_named(name, tmp_path) -> None:
    file = tmp_path / "bundle.pem"
    if name != "missing":
        file.write_text("" if name == "empty" else "no certificate")
    environment = {"REQUESTS_CA_BUNDLE": str(file), "NO_PROXY": "*"}
    setup = Setup({"base_url": "https://127.0.0.2:1"}, environment)
    with socket.create_server(("127.0.0.2", 0)) as listener:
        url = f"https://127.0.0.2:{listener.getsockname()[1]}"
        setup = Setup({"base_url": url}, environment)
        message = check(Fault("", UNREACHABLE, (), setup), "", after=UNREACHABLE)
    assert "REQUESTS_CA_BUNDLE" in message


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    with RawServer(lambda number, head: [OK], certificate=str(CERTIFICATES)) as server:
        message = check(Fault("", UNREACHABLE, ()), server.url, after=UNREACHABLE)
    assert "certificate" in message


def test_a_certificate_that_the_environment_names_is_trusted() -> None:
    with RawServer(lambda number, head: [OK], certificate=str(CERTIFICATES)) as server:
        setup = Setup(environment={"REQUESTS_CA_BUNDLE": str(CERTIFICATES)})
        check(Fault("", FINE, (), setup), server.url, after="dog")


@pytest.mark.parametrize("steps", [[OK], [b"\x15\x03\x03\x00\x02\x02F"], [STALL], [Drip(OK, 0.3)]],
                         ids=["HTTP", "an alert", "silence", "a drip"])  # fmt: skip
def test_a_server_that_does_not_speak_tls_ends_well(steps) -> None:
    """The server waits for no request: TLS begins before one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(lambda number, head: [])

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with connection:
                    for step in steps:
                        server._take(connection, step)
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with server:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            setup = Setup({"timeout": 1})
            outcome = weighed(predict, url, setup, seconds=LONGEST).value
    assert outcome is not None, "it hangs"
    assert outcome.error == UNREACHABLE
    assert KEY not in outcome.shown
