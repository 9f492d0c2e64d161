"""The bytes behind what a user passes as an image: path, file:// URL, base64, file object."""

from __future__ import annotations

import base64
import binascii
import contextlib
import inspect
import os
import re
import stat
import string
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes
from urllib.request import url2pathname

from rfhosted.errors import ImageError

_LARGEST = 1 << 30  # bytes; a larger file is no photo and must not fill the memory
#: Copied along with a path: blanks, quotes, and invisible characters (Windows copies U+202A).
_AROUND = string.whitespace + "\"'`<>“”„«»\u2018\u2019\xa0\u200b\u200e\u202a\u202c\ufeff"
#: How JPEG, PNG, GIF, WebP and TIFF files begin in base64.
_BASE64 = re.compile(rb"(?:/9j/|iVBORw0K|R0lGOD|UklGR|SUkqA|TU0AK)[A-Za-z0-9+/\s]{16,}={0,2}\s*")
_FILE_URL = re.compile(r"file:(//[^/]*)?", re.IGNORECASE)  # urlsplit refuses some texts
_ASYNC = "{} is read asynchronously. Await it first: predict(await file.read())."


def bare(text: str) -> str:
    """The text without the blanks and quotes around it that pasted paths and URLs have."""
    return text.strip(_AROUND)


def read(image: Any) -> bytes:
    """The bytes of a file that is given in any way but by an http(s) URL.

    Raises:
        ImageError: No such file, or one that cannot be read.
        TypeError: Not a kind of image.
    """
    name = type(image).__name__
    if isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
        return _from_base64(data) or data
    if isinstance(image, str):
        return _from_text(image)
    if isinstance(image, os.PathLike):
        path = os.fsdecode(image)
        return _from_path(_existing(path) or path)
    if inspect.isawaitable(image) or inspect.iscoroutinefunction(getattr(image, "read", None)):
        _discard(image)
        raise TypeError(_ASYNC.format(name))
    if callable(getattr(image, "read", None)):
        return _from_file(image)
    several = "one image at a time: " if isinstance(image, (list, tuple, set, dict)) else ""
    raise TypeError(
        f"{name} is not a kind of image. Pass {several}a path, a URL, a data URI, bytes, a file"
        " object, a PIL image or a numpy array (height, width, 3) of uint8, RGB."
    )


def _from_text(text: str) -> bytes:
    plain = bare(text)
    if plain[:5].lower() == "data:":
        return _from_data_uri(plain)
    file_url = _FILE_URL.match(plain)
    path = url2pathname(plain[file_url.end() :]) if file_url else plain
    found = _existing(text) or _existing(path)
    data = None if found else _from_base64(plain.encode("ascii", "replace"))
    if data is not None:
        return data
    scheme = re.match(r"([a-z][a-z0-9+.-]{1,20})://", plain, re.IGNORECASE)
    if scheme and not found and not file_url:
        raise ImageError(
            f"Images are not read from {scheme[1].lower()}:// addresses",
            advice="Download the file first, or pass an http or https URL.",
        )
    return _from_path(found or path)


def _existing(path: str) -> str | None:
    """The path as it is, or else with ``~`` as the home folder; a file's name may begin with it."""
    names = path, os.path.expanduser(path)  # noqa: PTH111 - Path's raises for an unknown user
    return next((name for name in names if os.path.exists(name)), None)  # noqa: PTH110 - and for long names


def _from_path(path: str) -> bytes:
    try:
        status = os.stat(path)  # noqa: PTH116 - a text with a null character makes no Path
        if stat.S_ISDIR(status.st_mode):
            reason = "it is a directory"
        elif not stat.S_ISREG(status.st_mode):
            reason = "it is not a regular file"  # a pipe or a device may never end
        elif status.st_size > _LARGEST:
            reason = f"it has {status.st_size:,} bytes, more than an image can have"
        else:
            return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
    raise ImageError(f"The image file {_shown(path)} cannot be read: {reason}", advice=_where())


def _where() -> str:
    try:
        return f"Check the path; the working directory is {Path.cwd()}."
    except OSError:
        return "Pass an absolute path: the working directory no longer exists."


def _shown(path: str) -> str:
    """A path as errors show it. What was typed may hold an API key: then only its length."""
    if re.search(r"[?&=]|^[^./\\ ]{16,}$", path):
        return f"(a text of {len(path)} characters)"
    return repr(path if len(path) < 200 else path[:200] + "…")


def _from_data_uri(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    data = unquote_to_bytes(body)
    if head.lower().endswith(";base64"):
        data = _decoded(data) or b""
    if data and not head[5:].lower().startswith("text/"):
        return data
    raise ImageError("The data URI does not hold an image", advice="Check that it is complete.")


def _from_base64(data: bytes) -> bytes | None:
    """The file, where the data is an image file in base64; else None."""
    return _decoded(data) if _BASE64.fullmatch(data) else None


def _decoded(data: bytes) -> bytes | None:
    data = b"".join(data.split()).rstrip(b"=")
    with contextlib.suppress(binascii.Error):
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    return None


def _from_file(file: Any) -> bytes:
    with contextlib.suppress(Exception):  # a stream has no start to go back to
        file.seek(0)
    data, problem = None, ""
    try:
        data = file.read()
    except Exception as error:  # noqa: BLE001 - any class can be a file object, and raise anything
        problem = type(error).__name__
    if inspect.isawaitable(data):
        _discard(data)
        raise TypeError(_ASYNC.format(type(file).__name__))
    if isinstance(data, str):
        raise TypeError('The file is open as text: open it with mode "rb".')
    if not problem and not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"The file object's read() returned {type(data).__name__}, not bytes.")
    if data:
        return bytes(data)
    if getattr(file, "closed", False):
        problem = "it is closed"
    raise ImageError(
        f"The file object cannot be read: {problem or 'it is empty or at its end'}",
        advice="Open it again, or pass the path or the bytes.",
    )


def _discard(awaitable: Any) -> None:
    """Close a coroutine that nobody will await, so that Python does not warn about it."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def file_name(image: Any) -> str:
    """The name of the file that an image comes from, such as "dog.jpg"; "" where it has none.

    Of a URL only the last part of its path is kept: the rest may hold a secret.
    """
    place = image if isinstance(image, (str, os.PathLike)) else None
    for attribute in ("filename", "name"):  # of PIL images and of file objects
        place = place or getattr(image, attribute, None)
    if not isinstance(place, (str, os.PathLike)):
        return ""
    path = bare(os.fsdecode(place))
    if path[:5].lower() == "data:" or (isinstance(image, str) and _from_base64(path.encode())):
        return ""
    if url := re.match(r"[a-z]{2,}://[^/?#]*([^?#]*)", path, re.IGNORECASE):
        path = unquote(url[1])
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
