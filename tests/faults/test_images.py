"""Images that fail, or that look as if they would: what a user sees of each, through a client.

A fault ends in an error of the expected class, or in an image whose colour is known and that is sent
as it is shown; in time, without a warning, without the typed text where that may hold an API key.
``RFHOSTED_EXAMPLES`` sets the number of mutated files.
"""

from __future__ import annotations

import base64
import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rfhosted import Client, HostedError, ImageError
from rfhosted.endpoints.call import Call
from support.image_files import (
    BLUE,
    RED,
    after_head,
    animated,
    chunk,
    encoded,
    ftyp,
    grey,
    photo,
    plain,
    png,
    tiff,
    turned,
)
from support.leaks import chain
from support.scripted import Response

SECONDS = 60  # a bound for what hangs, not a measure of what is slow
CANARY = "CANARYab12CD34ef56GH78"
JPEG, PNG, WEBP = (encoded(plain(), kind) for kind in ("JPEG", "PNG", "WEBP"))
CLIENT = Client(base_url="http://127.0.0.1:9")


def within(work):
    """What the work returns or raises; fails where it does not end."""
    outcome = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # noqa: BLE001 - the class is what is tested
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert outcome, "it does not end"
    return outcome[0]


def prepared(image, client=CLIENT, size="original"):
    return within(lambda: client.prepare(image, Call("a/1", image_size=size)))


def assert_refused(outcome, kind=ImageError) -> None:
    assert isinstance(outcome, kind), outcome
    assert len(str(outcome)) < 800
    assert str(outcome).isprintable()
    assert outcome.__context__ is None
    assert outcome.__cause__ is None
    if isinstance(outcome, HostedError):
        assert outcome.advice
        assert CANARY not in str(outcome)


def assert_shown(outcome, colour, tolerance=6) -> None:
    assert not isinstance(outcome, Exception), outcome
    shown = np.asarray(outcome.source_image.full)
    sent = cv2.imdecode(np.frombuffer(outcome.file, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert sent.shape == shown.shape
    assert np.abs(sent.astype(int) - shown).mean() < tolerance
    assert np.abs(shown.astype(int) - colour).mean() < tolerance


def saved(name: str, data: bytes = JPEG) -> str:
    """A file in the working directory, which is the test's own."""
    Path(name).write_bytes(data)
    return name


def closed(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image


def closed_file(data: bytes) -> io.BytesIO:
    with io.BytesIO(data) as file:
        return file


def written(data: bytes) -> io.BytesIO:
    file = io.BytesIO()
    file.write(data)
    return file


def directory_gone() -> str:
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()
    return "dog.jpg"


async def reading() -> bytes:
    return JPEG


class Upload:
    def read(self):
        return reading()


def corrupt_avif() -> bytes:
    data = bytearray(encoded(photo(96, 64), "AVIF"))
    at = data.index(b"mdat") + 8
    data[at : at + 40] = bytes(40)
    return bytes(data)


def many_bits(kind: str, most: int, bands: int = 1) -> bytes:
    values = np.zeros((48, 64, 3), kind)
    values[:] = (most, most // 4, most // 2)
    return tiff((values if bands == 3 else np.full((48, 64, 1), most, kind), {}))


REFUSED = {
    # Files
    "no file": lambda: "no/such.jpg",
    "a directory": lambda: ".",
    "an endless device": lambda: "/dev/zero",
    "a pipe that nobody writes to": lambda: os.mkfifo("pipe") or "pipe",
    "a directory that is gone": directory_gone,
    "a home folder of nobody": lambda: "~nobody-of-that-name/dog.jpg",
    "a null character": lambda: "dog\0.jpg",
    "half a surrogate pair": lambda: "\udcff\ud800.jpg",
    "terminal control characters": lambda: "\x1b]0;title\x07.jpg",
    "a name that is too long": lambda: "d" * 9999 + ".jpg",
    "a key in place of an image": lambda: CANARY,
    "an address without a scheme, with a key": lambda: f"app.example.com/a.jpg?api_key={CANARY}",
    "an address of a bucket, with a key": lambda: f"s3://bucket/a.jpg?token={CANARY}",
    "base64 of no image": lambda: "/9j/" + "A" * 400,
    "a data URI of a text": lambda: (
        f"data:text/plain;base64,{base64.b64encode(CANARY.encode()).decode()}"
    ),
    # File objects
    "an empty file object": io.BytesIO,
    "a closed file object": lambda: closed_file(JPEG),
    # Formats
    "nothing": lambda: b"",
    "zeros": lambda: bytes(5000),
    "heic": lambda: saved("IMG_0001.jpg", ftyp(b"heic")),
    "git lfs": lambda: saved(
        "a.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"
    ),
    "web page": lambda: saved("a.jpg", b"<!doctype html><p>Sign in"),
    "float": lambda: encoded(Image.new("F", (9, 9)), "TIFF"),
    "float of three bands": lambda: tiff((np.zeros((9, 9, 3), "f4"), {})),
    "seven bands of 16 bits": lambda: tiff((np.zeros((9, 9, 7), "u2"), {})),
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    # Damage
    "avif": corrupt_avif,
    "dds": lambda: struct.pack("<4s7I44x8I", b"DDS ", 124, 0x1007, 4, 4, *[0] * 3, 32, 8, *[0] * 6),
    "icns": lambda: b"icns\0\0\0\x18ic08\0\0\0\x10" + b"\xff" * 8,
    "cut jpeg": lambda: encoded(photo(64, 48), "JPEG")[:-300],
    "cut jpeg with stray bytes": lambda: after_head(encoded(photo(64, 48), "JPEG"), b"abc")[:-300],
    "cut png": lambda: PNG[:-12],
    "cut webp": lambda: encoded(photo(64, 48), "WEBP")[:-300],
    "a chunk of 4 GB": lambda: after_head(PNG, b"\xff\xff\xff\xffiTXt"),
    "a tiff that leads to itself": lambda: b"II*\0\x08\0\0\0" + struct.pack("<HL", 0, 8),
    # Size
    "a bomb": lambda: png(60_000, 60_000),
    "a long bomb": lambda: png(2**31 - 1, 1),
    "a bomb of text": lambda: after_head(
        PNG, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))
    ),
    "no pixels": lambda: Image.new("RGB", (0, 9)),
    # Pillow's images
    "closed": lambda: closed(JPEG),
    "closed png": lambda: closed(PNG),
    "closed gif": lambda: closed(animated("GIF", RED, BLUE)),
    "of a cut file": lambda: Image.open(io.BytesIO(encoded(photo(64, 48), "JPEG")[:-300])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_fault_is_an_image_error(name) -> None:
    outcome = prepared(REFUSED[name]())
    if name == "a bomb of text" and not isinstance(outcome, Exception):
        assert_shown(outcome, RED)  # newer decoders leave such a text out
    else:
        assert_refused(outcome)


WRONG_TYPE = {
    "an array of floats": lambda: np.zeros((9, 9, 3)),
    "an array of 16 bits": lambda: np.zeros((9, 9, 3), "u2"),
    "an array without bands": lambda: np.zeros((9, 9), "u1"),
    "an array with a batch": lambda: np.zeros((1, 9, 9, 3), "u1"),
    "a list of paths": lambda: ["a.jpg", "b.jpg"],
    "none": lambda: None,
    "a number": lambda: 5,
    "a text file": lambda: io.StringIO("text"),
    "a coroutine": reading,
    "a file object whose read is a coroutine": Upload,
}


@pytest.mark.parametrize("name", WRONG_TYPE)
def test_a_wrong_type_is_a_type_or_value_error(name) -> None:
    assert_refused(prepared(WRONG_TYPE[name]()), (TypeError, ValueError))


SHOWN = {
    # Paths
    "quotes": (lambda: f'"{saved("a b.jpg")}"', RED),
    "a path on a line of its own": (lambda: saved("dog.jpg") + "\r\n", RED),
    "a file URL": (lambda: Path(saved("a b.jpg")).absolute().as_uri(), RED),
    "a name that begins with a tilde": (lambda: saved("~$dog.jpg"), RED),
    "an ending of another format": (lambda: saved("dog.png"), RED),
    "base64": (lambda: base64.b64encode(JPEG).decode(), RED),
    "a data URI, percent-encoded": (
        lambda: "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
        RED,
    ),
    # File objects
    "written and not rewound": (lambda: written(PNG), RED),
    # Several images
    "animated webp": (lambda: animated("WEBP", RED, BLUE, lossless=True), RED),
    "animated png": (lambda: animated("PNG", RED, BLUE), RED),
    "animated gif": (lambda: animated("GIF", RED, BLUE), RED),
    "animated avif": (lambda: animated("AVIF", RED, BLUE), RED),
    "pages": (lambda: animated("TIFF", RED, BLUE), RED),
    "a thumbnail first": (
        lambda: tiff(
            (np.full((12, 16, 3), BLUE, "u1"), {254: 1, 330: 0}),
            (np.full((48, 64, 3), RED, "u1"), {254: 0}),
            sub=True,
        ),
        RED,
    ),
    # Depth
    "counts of 32 bits": (lambda: many_bits("i4", 200), (200, 200, 200)),
    "12 bits": (lambda: many_bits("u2", 4000), (250, 250, 250)),
    "16 bits": (lambda: many_bits("u2", 60_000), (234, 234, 234)),
    "colours of 10 bits": (lambda: many_bits("u2", 1000, 3), (250, 62, 125)),
    # Not truncated
    "stray bytes in a jpeg": (lambda: after_head(JPEG, b"\0\0ab"), RED),
    "a padded marker": (lambda: after_head(JPEG, b"\xff" * 9), RED),
    "data after a jpeg": (lambda: JPEG + os.urandom(9000), RED),
    "data after a png": (lambda: PNG + os.urandom(9000), RED),
    "a damaged text in a png": (lambda: after_head(PNG, chunk(b"tEXt", b"a\0b", bytes(4))), RED),
    "damaged EXIF": (lambda: after_head(JPEG, b"\xff\xe1\0\x10Exif\0\0MM\0*\xff\xff\xff\xff"), RED),
    # Turned
    "a turned webp": (lambda: encoded(plain(), "WEBP", exif=turned(6), lossless=True), RED),
    "a turned png": (lambda: encoded(plain(), "PNG", exif=turned(8)), RED),
    # Colours
    "cmyk": (lambda: encoded(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
    "transparent": (lambda: encoded(Image.new("RGBA", (64, 48), (*RED, 0))), RED),
    "grey": (lambda: tiff((grey(np.full((48, 64), 77, "u1")), {})), (77, 77, 77)),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_looks_like_a_fault_is_sent_as_it_is_shown(name) -> None:
    make, colour = SHOWN[name]
    assert_shown(prepared(make()), colour)


SERVED = {
    "called text": (Response(JPEG, headers={"content-type": "text/plain; charset=utf-8"}), RED),
    "called a web page": (Response(PNG, headers={"content-type": "text/html"}), RED),
    "called nothing": (Response(WEBP, headers={}), RED),
    "a login page": (Response(b"<html>Sign in", headers={"content-type": "image/jpeg"}), "HTML"),
    "an error in JSON": (Response(b'{"error": "expired"}'), "text"),
    "a Git LFS pointer": (Response(b"version https://git-lfs.github.com/spec/v1\n"), "LFS"),
    "heic": (Response(ftyp(b"heic")), "HEIC"),
    "cut off on the way": (Response(JPEG, cut=200), "cut off"),
    "an empty body": (Response(b""), "empty"),
    "no access": (Response(b"no", 401), "401"),
    "not there": (Response(b"no", 404), "404"),
}


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("form", ["{}", ' "{}"\n'])
def test_what_a_url_serves_is_decided_by_its_bytes(scripted, name, form) -> None:
    served, expected = SERVED[name]
    scripted.respond(served)
    url = scripted.url.replace("//", "//user:pa%40ss@") + f"/a.jpg?api_key={CANARY}"
    outcome = prepared(form.format(url), Client(base_url=scripted.url, retries=0))
    if isinstance(expected, str):
        assert_refused(outcome)
        assert expected in str(outcome)
        for secret in ("pa%40ss", "pa@ss"):
            assert secret not in str(outcome)
    else:
        assert_shown(outcome, expected)
    login = base64.b64decode(scripted.received[0].headers["authorization"].removeprefix("Basic "))
    assert login == b"user:pa@ss"


def test_no_frame_of_a_refused_key_in_place_of_an_image_reaches_the_error() -> None:
    with pytest.raises(ImageError) as caught:
        CLIENT.open(CANARY)
    assert CANARY not in "".join(map(str, (caught.value, caught.value.args, vars(caught.value))))
    assert "Error" in chain(caught.value)


MEMORY = """
import resource, sys
from rfhosted import Client
from rfhosted.endpoints.call import Call
Client(base_url="http://127.0.0.1:9").prepare(sys.argv[1], Call("a/1", image_size=640))
lines = open("/proc/self/status").read().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_large_image_takes_bounded_memory_and_warns_nobody(kind) -> None:
    # 92 million pixels: Pillow warns of more than 89.
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    saved("large", encoded(Image.new("L", (9600, 9600), 90), kind, **options))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEMORY, "large"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) / 1024 < 700  # MB; as RGB it has 276


CORPUS = {
    **{
        kind: encoded(photo(24, 18), kind)
        for kind in (
            "JPEG",
            "PNG",
            "WEBP",
            "GIF",
            "TIFF",
            "BMP",
            "AVIF",
            "ICO",
            "PPM",
            "TGA",
            "QOI",
        )
    },
    "apng": animated("PNG", RED, BLUE),
    "animated webp": animated("WEBP", RED, BLUE),
    "turned jpeg": encoded(photo(24, 18), "JPEG", exif=turned(6)),
    "turned png": encoded(photo(24, 18), "PNG", exif=turned(6)),
    "palette": encoded(photo(24, 18).quantize(8), "PNG", transparency=0),
    "deep png": encoded(Image.fromarray(np.arange(432, dtype="u2").reshape(18, 24)), "PNG"),
    "deep colours": many_bits("u2", 900, 3),
    "two pages": tiff(
        (grey(np.zeros((9, 9), "u1")), {254: 1}), (grey(np.zeros((18, 24), "u1")), {})
    ),
    "lzw": encoded(photo(24, 18), "TIFF", compression="tiff_lzw"),
    "text": b"version https://git-lfs.github.com/spec/v1\n",
}
#: Where (mostly in the header), what to do, and with which bytes.
MUTATION = st.tuples(
    st.one_of(st.integers(0, 120), st.integers(0, 5000)),
    st.sampled_from(["set", "set", "set", "insert", "delete", "cut"]),
    st.one_of(
        st.sampled_from([b"\0", b"\xff", b"\xff" * 4, b"\0" * 4]), st.binary(min_size=1, max_size=8)
    ),
)


def mutated(data: bytes, mutations) -> bytes:
    for place, how, values in mutations:
        at = place % (len(data) + 1)
        skipped = {"set": len(values), "insert": 0, "delete": 4 * len(values), "cut": len(data)}[
            how
        ]
        data = data[:at] + (b"" if how in ("delete", "cut") else values) + data[at + skipped :]
    return data


@settings(
    max_examples=int(os.environ.get("RFHOSTED_EXAMPLES", "1500")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(sorted(CORPUS)),
    mutations=st.lists(MUTATION, min_size=1, max_size=6),
    size=st.sampled_from(["original", 10]),
)
def test_any_damage_ends_in_an_image_or_an_image_error(name, mutations, size) -> None:
    data = mutated(CORPUS[name], mutations)
    try:
        made = CLIENT.prepare(data, Call("a/1", image_size=size))
        shown = made.source_image.full
    except HostedError as error:
        assert_refused(error)
        return
    assert shown.mode == "RGB"
    assert shown.size == made.source_image.size
    if made.upload.quality:  # what was not sent untouched is a JPEG of that size
        with Image.open(io.BytesIO(made.file)) as sent:
            sent.load()
            assert (sent.format, sent.size) == ("JPEG", made.upload.size)
