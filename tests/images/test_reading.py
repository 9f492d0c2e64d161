"""What a user passes for a file is read; what cannot be read is named, without what may be a key."""

from __future__ import annotations

import base64
import io
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfhosted import ImageError
from rfhosted.images.reading import bare, read
from rfhosted.images.sources import is_url
from support.image_files import encoded, plain

DATA = encoded(plain())
KEY = "CANARYab12CD34ef56GH78"


@pytest.fixture
def path(tmp_path) -> Path:
    """A file with a blank in its name, in the working directory."""
    path = tmp_path / "a b.png"
    path.write_bytes(DATA)
    return path


PASTED = {
    "quotes": '"{}"',
    "single quotes": "'{}'",
    "backquotes": "`{}`",
    "curly quotes": "\u201c{}\u201d",
    "angle brackets": "<{}>",
    "a line end": "{}\n",
    "blanks": " \t{}\xa0",
    "blanks and quotes": ' "{}"\r\n',
    "an invisible character": "\u202a{}",
    "a byte order mark": "\ufeff{}",
}


@pytest.mark.parametrize("form", PASTED.values(), ids=PASTED)
def test_a_pasted_path_is_read_without_what_came_along(path, form) -> None:
    assert read(form.format(path)) == DATA
    assert read(form.format(path.name)) == DATA
    assert read(form.format(path.as_uri())) == DATA
    assert bare(form.format(path)) == str(path)


def test_a_file_whose_name_has_quotes_is_read_first(path, tmp_path) -> None:
    (tmp_path / '"a b.png"').write_bytes(b"this one")
    assert read('"a b.png"') == b"this one"


@pytest.mark.parametrize("form", ["file://{}", "FILE://{}", "file:{}", "file://localhost{}"])
def test_file_urls(path, form) -> None:
    assert read(form.format(str(path).replace(" ", "%20"))) == DATA


def test_paths_of_other_types(path, tmp_path) -> None:
    class Named:
        def __fspath__(self):
            return os.fsencode(path)

    with os.scandir(tmp_path) as folder:
        entry = next(entry for entry in folder if entry.name == path.name)
    for image in (path, entry, Named()):
        assert read(image) == DATA


def test_a_tilde_is_part_of_a_name_or_the_home_folder(path, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read("~/a b.png") == DATA
    assert read(Path("~/a b.png")) == DATA
    for name in ("~backup.jpg", "~$lock.jpg", "~"):
        Path(name).write_bytes(name.encode())
        assert read(name) == name.encode()
        assert read(Path(name)) == name.encode()
    with pytest.raises(ImageError, match="No such file"):
        read("~nobody-of-that-name/a.jpg")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_base64_is_understood(kind) -> None:
    data = encoded(plain(), kind)
    text = base64.b64encode(data).decode()
    lines = base64.encodebytes(data)
    for image in (text, text.rstrip("="), f" {text}\n", lines.decode(), lines, text.encode()):
        assert read(image) == data


def test_a_text_image_is_not_taken_for_base64() -> None:
    assert read(b"P3\n2 2\n255\n" + b"0 0 0 " * 4) == b"P3\n2 2\n255\n" + b"0 0 0 " * 4


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64,AAEC/w==",
        "data:image/png;base64,AAEC/w",
        "DATA:image/png;charset=utf-8;BASE64,AAEC\n/w==",
        "data:image/png;base64,AAEC%2Fw%3D%3D",
        "data:;base64,AAEC/w==",
        "data:image/png,%00%01%02%ff",
        ' "data:image/png;base64,AAEC/w=="\n',
    ],
)
def test_data_uris(uri) -> None:
    assert read(uri) == b"\0\1\2\xff"


@pytest.mark.parametrize(
    "uri",
    [
        "data:text/html,hello",
        "data:image/png;base64,@@@@",
        "data:image/png;base64,",
        "data:",
        "data:image/png",
    ],
)
def test_a_data_uri_without_an_image_is_refused(uri) -> None:
    with pytest.raises(ImageError, match="data URI"):
        read(uri)


@pytest.mark.parametrize(
    "make", [io.BytesIO, tempfile.TemporaryFile, tempfile.SpooledTemporaryFile]
)
@pytest.mark.parametrize("position", [0, 16, len(DATA)])
def test_a_file_object_is_read_from_its_start(make, position) -> None:
    with make() as file:
        file.write(DATA)
        file.seek(position)
        assert read(file) == DATA


class Stream:
    """A file object that cannot be rewound."""

    def __init__(self, *parts):
        self.parts = list(parts)

    def read(self):
        part = self.parts.pop(0)
        if isinstance(part, Exception):
            raise part
        return part


@pytest.mark.parametrize("data", [DATA, bytearray(DATA), memoryview(DATA)])
def test_a_stream_is_read_as_it_comes(data) -> None:
    assert read(Stream(data)) == DATA


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (b"", "at its end"),
        (OSError(KEY), "OSError"),
        (ValueError("I/O"), "ValueError"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_stream_that_cannot_be_read_says_why(part, reason) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        read(Stream(part))
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_closed_file_says_so(path) -> None:
    with path.open("rb") as file:
        pass
    with pytest.raises(ImageError, match="closed"):
        read(file)


@pytest.mark.parametrize("part", ["text", None, 3, [b"bytes"]])
def test_a_stream_of_no_bytes_is_of_a_wrong_type(part) -> None:
    with pytest.raises(TypeError):
        read(Stream(part))


class Asynchronous:
    async def read(self):
        return DATA

    async def seek(self, position):
        return position


async def coroutine():
    return DATA


@pytest.mark.parametrize("make", [Asynchronous, lambda: Stream(coroutine()), coroutine])
def test_what_must_be_awaited_says_so(make) -> None:
    with pytest.raises(TypeError, match=r"[Aa]wait"):  # a coroutine never awaited would warn
        read(make())


@pytest.mark.parametrize(
    "image", [None, 3, 1.5, object(), [DATA], ("a", "b"), {"content": DATA}, {DATA}]
)
def test_what_is_not_a_kind_of_image(image) -> None:
    with pytest.raises(TypeError, match=type(image).__name__) as caught:
        read(image)
    assert ("one image at a time" in str(caught.value)) == isinstance(
        image, (list, tuple, dict, set)
    )


def test_what_may_never_end_is_not_read(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for image in (tmp_path / "pipe", str(tmp_path / "pipe"), "/dev/zero", Path("/dev/zero")):
        with pytest.raises(ImageError, match="regular file"):
            read(image)


def test_a_file_that_would_fill_the_memory_is_not_read(path, monkeypatch) -> None:
    monkeypatch.setattr("rfhosted.images.reading._LARGEST", 100)
    with pytest.raises(ImageError, match=f"{len(DATA):,} bytes"):
        read(path)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("no/such/file.jpg", "No such file"),
        ("file:///no/such%20file.jpg", "No such file"),
        ("a\0b.jpg", "null"),
        ("\udc80.jpg", "surrogates|No such file"),
        ("x" * 5000 + ".jpg", "too long"),
        ("", "No such file"),
        (".", "directory"),
        (Path("no.jpg"), "No such file"),
    ],
)
def test_paths_that_cannot_be_read_say_why(image, reason) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        read(image)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
    assert str(Path.cwd()) in caught.value.advice


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ImageError, match="No such file") as caught:
        read("x.jpg")
    assert "no longer exists" in caught.value.advice


@pytest.mark.parametrize("scheme", ["s3", "gs", "ftp", "hdfs", "S3", "git+ssh"])
def test_addresses_of_other_schemes_are_named(scheme) -> None:
    with pytest.raises(ImageError, match=re.escape(scheme.lower())) as caught:
        read(f"{scheme}://bucket/a.jpg?api_key={KEY}")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"app.roboflow.com/a/b?api_key={KEY}",
        f"api_key={KEY}",
        f"dog.jpg&api_key={KEY}",
        f"s3://{KEY}@bucket/a.jpg",
        f"data:text/plain,{KEY}",
    ],
)
def test_an_error_does_not_show_what_may_be_a_key(text) -> None:
    with pytest.raises(ImageError) as caught:
        read(text)
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["", "file:", "file://", "data:", "data:;base64,", "~", "s3://", "/9j/", '"']),
    st.one_of(st.text(), st.text("[]:/@#?%~\\\"' 0aZ=+")),
)
def test_any_text_ends_in_bytes_or_an_image_error(start, text) -> None:
    try:
        assert isinstance(read(start + text), bytes)
    except ImageError as error:
        assert str(error).isprintable()  # noqa: PT017 - not every text raises


def test_urls_differ_from_paths() -> None:
    for image in (
        "https://example.com/a.jpg",
        "HTTP://example.com/a",
        ' "https://example.com/a"\n',
    ):
        assert is_url(image)
    for image in ("http.jpg", b"http://example.com", Path("http://a"), "file:///a", None):
        assert not is_url(image)
