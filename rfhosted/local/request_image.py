"""The image of a request: a form's file or a base64 body, and its pixels."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from rfhosted.local.errors import BadImageError, RefusedError, TooLongError, TooSlowError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from PIL.ImageFile import ImageFile

    Pixels = npt.NDArray[np.uint8]

#: Formats that are decoded, by their first bytes. Others have no size before they are decoded.
_FORMATS: dict[bytes, Callable[[io.BytesIO], ImageFile]] = {
    b"\xff\xd8": JpegImageFile,
    b"\x89PNG": PngImageFile,
    b"RIFF": WebPImageFile,
    b"GIF8": GifImageFile,
    b"BM": BmpImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
}
_ORIENTATION = 0x0112  # of EXIF
#: Pixels that an image may have: the photo of a 64-megapixel camera, 0.2 GB when decoded.
MOST_PIXELS = 1 << 26
#: Longest side in pixels of what the models and everything after them work on.
LONGEST_SIDE = 2048
#: Bytes past the limit that are still read (and dropped), so that a client that is still sending
#: receives the response.
_READ_ON = 8_000_000
#: Seconds that a body may take, and that may pass without a byte of it.
_BODY_SECONDS, _PAUSE_SECONDS = 30.0, 5.0
_NOT_BASE64 = bytes(set(range(256)) - {*string.ascii_letters.encode(), *b"0123456789+/"})
_MALFORMED = "Malformed base64 input image."  # the real server says it of files too


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Args:
        request: The request.
        limit: Bytes that a body may have.

    Raises:
        TooLongError: It has more.
        TooSlowError: It does not arrive in time.
    """
    body, length = bytearray(), 0
    now = asyncio.get_running_loop().time
    end = now() + _BODY_SECONDS
    try:
        async with asyncio.timeout(_PAUSE_SECONDS) as patience:
            async for chunk in request.stream():
                patience.reschedule(min(end, now() + _PAUSE_SECONDS))
                length += len(chunk)
                if length <= limit:
                    body += chunk
                elif length > limit + _READ_ON:
                    break
    except TimeoutError:
        raise TooSlowError from None
    if length > limit:
        raise TooLongError
    return bytes(body)


async def read_image(request: Request, body: bytes) -> bytes:
    """The encoded image of a request: the file of a form, or a base64 body.

    Raises:
        RefusedError: There is none, or the request does not say what its body is.
    """
    kind = request.headers.get("content-type")
    if kind is None:
        raise RefusedError(400, "Content-Type header not provided with request.")
    if not kind.startswith("multipart/form-data"):
        return _from_base64(body)

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    # Without "app" in its scope Starlette raises the parser's own error, whose words are needed.
    scope = {name: value for name, value in request.scope.items() if name != "app"}
    try:
        async with Request(scope, replay).form() as form:
            part = form.get("file")
            if isinstance(part, UploadFile):
                return await part.read()
    except MultiPartException as error:
        raise RefusedError(400, error.message, "detail") from None
    if part is not None:  # a field without a file name
        raise RefusedError(400, "Invalid Content-Type header provided with request.")
    raise BadImageError("Expected image to be send in part named 'file'.")


def _from_base64(body: bytes) -> bytes:
    """The encoded image in a base64 body; a data URI's head and missing padding are accepted.

    Raises:
        BadImageError: Raw bytes instead, or an empty body.
    """
    if not body:
        raise BadImageError("Empty image payload.")
    if not body.isascii():
        raise BadImageError(
            "Invalid base64 input: the image payload contains raw bytes instead of a base64-encoded"
            " string. Please base64-encode the image before sending."
        )
    text = re.sub(rb"^data:image/[a-z]+;base64,", b"", body).translate(None, _NOT_BASE64)
    # One character too many cannot be base64; the rest of a group is padded.
    whole = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """An image, scaled down if it is large.

    Attributes:
        rgb: uint8 (height, width, 3), with a longest side of at most ``LONGEST_SIDE``.
        size: (width, height) of the whole image in pixels.
    """

    rgb: Pixels
    size: tuple[int, int]

    def full_size(self, values: Pixels) -> Pixels:
        """Values of the pixels of ``rgb`` as values of the whole image's pixels."""
        if values.shape[1::-1] == self.size:
            return values
        return np.asarray(cv2.resize(values, self.size, interpolation=cv2.INTER_NEAREST), np.uint8)

    def to_full_size(self, predictions: list[dict[str, Any]]) -> None:
        """Convert coordinates in pixels of ``rgb`` to pixels of the whole image, in place."""
        height, width = self.rgb.shape[:2]
        if self.size == (width, height):
            return
        across, down = self.size[0] / width, self.size[1] / height
        factors = {"x": across, "width": across, "y": down, "height": down}
        for item in predictions:
            for part in (item, *item.get("points", ()), *item.get("keypoints", ())):
                part.update({name: part[name] * factors[name] for name in factors & part.keys()})


def image_size(data: bytes) -> tuple[int, int]:
    """(width, height) of an encoded image, upright, from its header; no pixel is decoded.

    Raises:
        BadImageError: It is not an image.
    """
    if not data:
        raise BadImageError("Empty image payload.")
    opens = next((opens for start, opens in _FORMATS.items() if data.startswith(start)), None)
    if opens is None:
        raise BadImageError(_MALFORMED)
    try:  # not with Image.open, which would warn of large images in the user's notebook
        header = opens(io.BytesIO(data))
        exif = Image.Exif()  # header.getexif would decode a PNG
        exif.load(header.info.get("exif", b""))
        turned = exif.get(_ORIENTATION, 1) >= 5
    except Exception:  # noqa: BLE001  # a damaged file makes Pillow raise anything
        raise BadImageError(_MALFORMED) from None
    return (header.height, header.width) if turned else header.size


def decode(data: bytes, *, upright: bool = True) -> DecodedImage:
    """Decode an image as the real server does it, so that every format looks the same.

    EXIF rotates images, alpha is dropped, 16 bits become 8, and of an animation the first frame
    counts.

    Args:
        data: The encoded image.
        upright: Whether EXIF rotates it.

    Raises:
        BadImageError: It is not an image, or has too many pixels.
    """
    width, height = image_size(data)
    if width * height > MOST_PIXELS:
        raise BadImageError(
            f"The image has {width} x {height} pixels; the local server decodes at most"
            f" {MOST_PIXELS:,}. Send a smaller image."
        )
    flags = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_COLOR)
    except cv2.error:
        raise BadImageError(_MALFORMED) from None
    if bgr is None:
        raise BadImageError(_MALFORMED)
    size = bgr.shape[1], bgr.shape[0]
    if (ratio := LONGEST_SIDE / max(size)) < 1:
        small = max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))
        bgr = cv2.resize(bgr, small, interpolation=cv2.INTER_AREA)
    return DecodedImage(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), size)
