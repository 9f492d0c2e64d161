"""The picture of a request: a form's file or a base64 body, and its pixels."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from rfhosted.local.errors import BadImageError, RefusedError, TooLongError

if TYPE_CHECKING:
    import numpy.typing as npt

#: Bytes past the limit that are still read (and dropped), so that a client that is still sending
#: hears the answer.
READ_ON = 8_000_000


async def read_body(request: Request, most: int) -> bytes:
    """The body, kept as far as it may be long.

    Raises:
        TooLongError: It is longer.
    """
    body, length = bytearray(), 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= most:
            body += chunk
        elif length > most + READ_ON:
            break
    if length > most:
        raise TooLongError
    return bytes(body)


async def form_file(request: Request, body: bytes) -> bytes | None:
    """The file of a form; None where the body is no form.

    Raises:
        RefusedError: There is none, or the request does not say what its body is.
    """
    kind = request.headers.get("content-type")
    if kind is None:
        raise RefusedError(400, "Content-Type header not provided with request.")
    if not kind.startswith("multipart/form-data"):
        return None

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    # Without "app" in its scope Starlette raises the parser's own error, whose words are wanted.
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


def from_base64(body: bytes) -> bytes:
    """The encoded picture in a base64 body; a data URI's head and missing padding are forgiven.

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
    text = re.sub(r"^data:image/[a-z]+;base64,", "", body.decode("ascii"))
    text = re.sub(r"[^A-Za-z0-9+/]", "", text)
    # One character too many cannot be base64; the rest of a group is padded.
    whole = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def decode(data: bytes, *, upright: bool = True) -> npt.NDArray[np.uint8] | None:
    """Pixels of an encoded picture, uint8 BGR of shape (height, width, 3), alpha dropped.

    Decoded as the real server does it, so that every format looks as it does there: EXIF turns
    pictures, 16 bits become 8, and of an animation the first frame counts.

    Args:
        data: The encoded picture.
        upright: Whether EXIF turns it.

    Returns:
        None where the bytes are no picture.

    Raises:
        BadImageError: There are no bytes.
    """
    if not data:
        raise BadImageError("Empty image payload.")
    flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:  # more pixels than OpenCV takes
        return None
    # OpenCV gives None for what it cannot read; its stubs do not know.
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)
