"""Pictures that the embedded server fetches itself, and the addresses that it refuses."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest
import requests

import rfhosted.local
from rfhosted.local import fetch as remote
from rfhosted.local.app import build_app
from rfhosted.local.errors import BadImageError
from rfhosted.local.server import running
from support.recordings import IMAGES
from support.scripted import Response

CAT = (IMAGES / "cat.jpg").read_bytes()
NOWHERE = (
    "Providing images via URL without FQDN is not supported in this configuration of `inference`."
)
NOT_HTTP = (
    "Providing images via non https:// URL is not supported in this configuration of `inference`."
)
INVALID = "Provided image URL is invalid"
PRIVATE = "URL points to a network destination that is not allowed."
NOT_FETCHED = "Data pointed by URL could not be decoded into image."
NAMES = {
    "pictures.example.com": ["127.0.0.1"],
    "inner.example.com": ["10.0.0.5"],
    "link.example.com": ["169.254.169.254"],
    "mixed.example.com": ["93.184.216.34", "192.168.0.1"],
    "six.example.com": ["::1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "unique.example.com": ["fd00::1"],
    "many.example.com": ["239.1.1.1"],
    "zero.example.com": ["0.0.0.0"],
    "shared.example.com": ["100.64.0.1"],
}


@pytest.fixture
def names(monkeypatch):
    """Names that lead where these tests want them to; no question leaves this machine."""
    genuine = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        if host in ("127.0.0.1", "localhost"):
            return genuine(host, port, *args, **kwargs)
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in NAMES[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture(scope="module")
def server():
    with rfhosted.local.serve() as one:
        yield one.url


REFUSED = {
    "http://127.0.0.1/a.jpg": NOWHERE,
    "http://127.0.0.1:9001/a.jpg": NOWHERE,
    "http://10.0.0.1/a.jpg": NOWHERE,
    "http://169.254.169.254/latest/meta-data": NOWHERE,
    "http://[::1]/a.jpg": NOWHERE,
    "http://[::ffff:10.0.0.1]/a.jpg": NOWHERE,
    "http://2130706433/a.jpg": NOWHERE,
    "http://0x7f.1/a.jpg": NOWHERE,
    "http://0177.0.0.1/a.jpg": NOWHERE,
    "http://localhost/a.jpg": NOWHERE,
    "http://localhost./a.jpg": NOWHERE,
    "http://printer/a.jpg": NOWHERE,
    "http://pictures.example.com@127.0.0.1/a.jpg": NOWHERE,
    "http://pictures.example.com\\@127.0.0.1/a.jpg": NOWHERE,
    "file:///etc/passwd": NOT_HTTP,
    "ftp://pictures.example.com/a.jpg": NOT_HTTP,
    "gopher://pictures.example.com/": NOT_HTTP,
    "": INVALID,
    "a.jpg": INVALID,
    "//pictures.example.com/a.jpg": INVALID,
    "http://": INVALID,
    "http:///a.jpg": INVALID,
    "http://[::1/a.jpg": INVALID,
    "http://pictures.example.com:port/a.jpg": INVALID,
    "http://pictures.example.com/a.jpg": PRIVATE,
    "https://inner.example.com/a.jpg": PRIVATE,
    "http://link.example.com/a.jpg": PRIVATE,
    "http://mixed.example.com/a.jpg": PRIVATE,
    "http://six.example.com/a.jpg": PRIVATE,
    "http://mapped.example.com/a.jpg": PRIVATE,
    "http://unique.example.com/a.jpg": PRIVATE,
    "http://many.example.com/a.jpg": PRIVATE,
    "http://zero.example.com/a.jpg": PRIVATE,
    "http://shared.example.com/a.jpg": PRIVATE,
    "http://nobody.example.com/a.jpg": NOT_FETCHED,
}


@pytest.mark.parametrize("url", REFUSED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_addresses_that_are_refused(server, names, url, method) -> None:
    address = f"{server}/local/classification"
    response = requests.request(method, address, params={"image": url})
    assert response.status_code == 400
    assert response.json() == {"message": f"Could not load input image. Cause: {REFUSED[url]}"}


def fetch(url: str) -> bytes:
    """With the test's own picture server allowed, and nothing else of this machine's networks."""
    return remote.fetch(url, reachable=lambda address: address == "127.0.0.1")


def at(scripted, path: str = "/a.jpg", host: str = "pictures.example.com") -> str:
    return f"http://{host}:{scripted.url.rpartition(':')[2]}{path}"


def test_pictures_are_fetched(scripted, names) -> None:
    picture = Response(CAT, headers={"content-type": "image/jpeg"})
    scripted.respond(Response(b"", 302, {"location": "/moved.jpg"}), picture)
    with running(build_app(fetch=fetch)) as url:
        address = at(scripted, "/a picture?size=2&name=a%20b")
        response = requests.get(f"{url}/local/object-detection", params={"image": address})
        assert response.json()["predictions"][0]["class"] == "cat"
        scripted.respond(Response(b"<html>", headers={"content-type": "text/html"}))
        response = requests.post(f"{url}/local/object-detection", params={"image": at(scripted)})
    assert response.status_code == 400
    assert response.json()["message"].endswith("Data is not image.")
    assert scripted.received[0].path == "/a%20picture"
    assert scripted.received[0].query == {"size": "2", "name": "a b"}
    assert scripted.received[0].headers["host"] == at(scripted).split("/")[2]
    assert scripted.received[1].path == "/moved.jpg"


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate of its own signing, for pictures.example.com alone."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate with")
    key, own = tmp_path / "key.pem", tmp_path / "own.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", own,
         "-subj", "/CN=pictures.example.com", "-addext", "subjectAltName=DNS:pictures.example.com"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, own


def test_certificates_are_checked_for_the_name(scripted, names, monkeypatch, certificate) -> None:
    key, own = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, key)
    scripted.socket = context.wrap_socket(scripted.socket, server_side=True)
    scripted.respond(Response(CAT))
    monkeypatch.setitem(NAMES, "another.example.com", ["127.0.0.1"])
    address = at(scripted).replace("http://", "https://")
    with pytest.raises(BadImageError, match=NOT_FETCHED):
        fetch(address)  # nobody vouches for it
    monkeypatch.setattr("certifi.where", lambda: str(own))
    assert fetch(address) == CAT
    with pytest.raises(BadImageError, match=NOT_FETCHED):
        fetch(address.replace("pictures", "another"))


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("http://10.0.0.1/a.jpg", NOWHERE),
        ("http://127.0.0.1/a.jpg", NOWHERE),
        ("http://inner.example.com/a.jpg", PRIVATE),
        ("//link.example.com/a.jpg", PRIVATE),
        ("file:///etc/passwd", NOT_HTTP),
        ("/again.jpg", NOT_FETCHED),  # without end
    ],
)
def test_redirects_are_checked_like_addresses(scripted, names, target, cause) -> None:
    scripted.respond(Response(b"", 302, {"location": target}))
    with pytest.raises(BadImageError, match=re.escape(cause)):
        fetch(at(scripted))
    assert len(scripted.received) <= 4


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"", 200),
        Response(CAT, 404),
        Response(CAT, 500),
        Response(CAT, 206),
        Response(CAT, 302, {}),
        Response(CAT, 0),
        Response(CAT, cut=100),
        Response(b"A" * 60_001),
        Response(CAT[:200], drip=0.02),
        Response(CAT, delay=1.2),
    ],
    ids=["empty", "404", "500", "part", "nowhere", "hung up", "cut", "large", "dripping", "slow"],
)
def test_pictures_that_cannot_be_had(scripted, names, monkeypatch, answer) -> None:
    monkeypatch.setattr(remote, "_LARGEST_DOWNLOAD", 60_000)
    monkeypatch.setattr(remote, "_PATIENCE", 0.5)
    scripted.respond(answer)
    began = time.perf_counter()
    with pytest.raises(BadImageError, match=NOT_FETCHED):
        fetch(at(scripted))
    assert time.perf_counter() - began < 3
