"""The picture of a request: a form's file, a base64 body or the address of a picture elsewhere."""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import cv2
import numpy as np
import requests

if TYPE_CHECKING:
    import numpy.typing as npt

_LARGEST_DOWNLOAD = 20_000_000
_REDIRECTS = 3
_PATIENCE = 10.0  # seconds


class BadPictureError(Exception):
    """A 400; the text is the server's message."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"Could not load input image. Cause: {cause}")


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Pixels of an encoded picture, uint8 BGR of shape (height, width, 3), upright, alpha dropped.

    Raises:
        BadPictureError: Empty, or no picture.
    """
    if not data:
        raise BadPictureError("Empty image payload.")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV takes
        pixels = None
    if pixels is None:
        raise BadPictureError("Malformed base64 input image.")  # said of every kind of body
    return np.asarray(pixels, dtype=np.uint8)


def from_base64(body: bytes) -> bytes:
    """The encoded picture in a base64 body; a data URI's head and missing padding are forgiven.

    Raises:
        BadPictureError: Raw bytes instead, or an empty body.
    """
    if not body:
        raise BadPictureError("Empty image payload.")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise BadPictureError(
            "Invalid base64 input: the image payload contains raw bytes instead of a base64-encoded"
            " string. Please base64-encode the image before sending."
        )
    text = re.sub(r"^data:image/[a-z]+;base64,", "", text)
    text = re.sub(r"[^A-Za-z0-9+/]", "", text)
    # One character too many cannot be base64; the rest of a group is padded.
    whole = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def fetch(url: str) -> bytes:
    """The bytes behind a picture's address, where the hosted API would ask for it.

    Addresses of private networks, of this machine and without a domain are refused, also behind a
    redirect: the server must not become a way into the network that it runs in.

    Raises:
        BadPictureError: Refused, unreachable or too large.
    """
    for _ in range(_REDIRECTS + 1):
        _check_address(url)
        try:
            with requests.get(
                url, timeout=_PATIENCE, stream=True, allow_redirects=False
            ) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers["location"])
                    continue
                response.raise_for_status()
                data = response.raw.read(_LARGEST_DOWNLOAD + 1, decode_content=True)
        except (requests.RequestException, OSError):
            data = b""
        if not 0 < len(data) <= _LARGEST_DOWNLOAD:
            raise BadPictureError("Data pointed by URL could not be decoded into image.")
        return bytes(data)
    raise BadPictureError("Data pointed by URL could not be decoded into image.")


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or 80
    except ValueError:
        host, port = "", 0
    if not host:
        raise BadPictureError("Provided image URL is invalid")
    if parts.scheme not in ("http", "https"):
        raise BadPictureError("Providing images via non http:// or https:// URL is not supported.")
    # A number in any notation, an IPv6 address and a bare name have no top-level domain of letters.
    if not re.search(r"\.[a-z][a-z0-9-]*\.?$", host, re.IGNORECASE):
        raise BadPictureError("Providing images via URL without FQDN addresses is not supported.")
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, port)}
    except OSError:
        found = set()
    if not found or not all(ipaddress.ip_address(address).is_global for address in found):
        raise BadPictureError("It is not allowed to reach image URL.")
