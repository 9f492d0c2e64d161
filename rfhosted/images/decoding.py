"""Image files opened and decoded by Pillow, without its warnings, as servers would decode them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageFile, TiffImagePlugin

from rfhosted.errors import ImageError
from rfhosted.images.formats import formats

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

_ORIENTATION, _PNG_EXIF = 0x0112, (b"eXIf", b"Raw profile type exif")
_SUBFILE_TYPE, _WIDTH, _HEIGHT, _SUB_DIRECTORIES = 254, 256, 257, 330  # TIFF 6.0 and supplement 1
_MOST_DIRECTORIES = 64
#: Python's warning filters belong to the whole process: one thread at a time may change them.
_filters = threading.RLock()


def _new_lock() -> None:
    global _filters  # noqa: PLW0603 - another thread of the parent may have held it at the fork
    _filters = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings: of sizes below the limit, of metadata that nobody reads."""
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def opened(data: bytes) -> ImageFile.ImageFile:
    """The file as Pillow opens it; no pixels are decoded yet."""
    with quiet():
        return Image.open(io.BytesIO(data), formats=formats(data))


def to_rgb(image: Image.Image, data: bytes = b"") -> Image.Image:
    """A new RGB image with the pixels that a server sees: alpha dropped, 8 bits a channel.

    Args:
        image: What to convert.
        data: Its file, where it has one: Pillow cuts 16 bits of colour to 8.
    """
    if is_deep(image) and (values := _integers(image, data)) is not None:
        # The brightest value decides: what a sensor of 12 bits measures would be black as 16 bits.
        shift = max(int(values.max()).bit_length() - 8, 0)
        return Image.fromarray((values.clip(0) >> shift).astype("uint8")).convert("RGB")
    if image.mode == "F":
        raise ImageError(
            "The image holds floating-point values, and its black and white are not known",
            advice="Scale it to 0 to 255 and pass an array (height, width, 3) of uint8.",
        )
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")  # a copy where it is RGB already


def is_deep(image: Image.Image) -> bool:
    """Whether a channel has more than 8 bits."""
    tiles = str(getattr(image, "tile", [])[:1]) if image.format in ("PNG", "TIFF") else ""
    return image.mode.startswith("I") or re.search(r";16[BLN]", tiles) is not None


def _integers(image: Image.Image, data: bytes) -> npt.NDArray[np.integer[Any]] | None:
    """The values of an image with more than 8 bits a channel, grey or RGB; None if unreadable."""
    import cv2
    import numpy as np

    if image.mode.startswith("I"):
        return np.asarray(image)
    how = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    with contextlib.suppress(cv2.error):
        values = cv2.imdecode(np.frombuffer(data, np.uint8), how)
        if values is not None and values.shape[1::-1] == image.size and values.dtype == "uint16":
            return values[:, :, ::-1]  # type: ignore[return-value]  # OpenCV's types know no dtype
    return None


def orientation(image: Image.Image, data: bytes = b"eXIf") -> int:
    """EXIF orientation, 1 to 8; 1 is upright."""
    # Pillow turns TIFF upright itself, and decodes a whole PNG to look for EXIF behind its pixels.
    without = image.format == "PNG" and not any(mark in data for mark in _PNG_EXIF)
    if image.format != "TIFF" and not without:
        with contextlib.suppress(Exception):  # damaged metadata is no reason to refuse an image
            found = image.getexif().get(_ORIENTATION, 1)
            return found if found in range(1, 9) else 1
    return 1


def check_end(image: ImageFile.ImageFile, data: bytes) -> None:
    """Refuse a file without its end that could be sent untouched; where in doubt, decode it.

    Raises:
        OSError: The file is truncated.
    """
    whole = True
    if image.format in ("JPEG", "MPO"):
        whole = data[-4096:].rstrip(b"\0\r\n ").endswith(b"\xff\xd9")
    elif image.format == "WEBP":
        whole = len(data) >= int.from_bytes(data[4:8], "little") + 8
    elif image.format == "PNG" and not _is_whole_png(data):  # Pillow takes it, servers do not
        raise OSError("truncated")
    if not whole:
        image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))  # as strict, fast
        image.load()


def _is_whole_png(data: bytes) -> bool:
    """Whether the chunks lead to the last one. OpenCV allocates whatever length a chunk claims."""
    at = 8
    while data[at + 4 : at + 8] not in (b"IEND", b""):
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return len(data) >= at + 12


def png_by_opencv(data: bytes) -> Image.Image | None:
    """A PNG that Pillow refuses for its metadata, where OpenCV, the servers' decoder, takes it."""
    import cv2
    import numpy as np

    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    small = width * height <= (Image.MAX_IMAGE_PIXELS or 1 << 30)
    if data.startswith(b"\x89PNG") and small and _is_whole_png(data):
        with contextlib.suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            return None if pixels is None else Image.fromarray(pixels[:, :, ::-1])
    return None


def full_size_first(data: bytes) -> bytes:
    """The file; a TIFF that begins with a thumbnail (DNG, NEF) begins with its largest image."""
    if data.startswith((b"II*\0", b"MM\0*")):
        with contextlib.suppress(Exception):  # damaged tags: Pillow then says what is wrong
            first = _largest_image(data)
            head = data[:4] + first.to_bytes(4, "little" if data[:2] == b"II" else "big")
            return data if data.startswith(head) else head + data[8:]
    return data


def _largest_image(data: bytes) -> int:
    """Offset of the TIFF directory to show: the first, unless that is a thumbnail."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    file = io.BytesIO(data)
    first: int = directory.next
    waiting, pixels = [first], {0: 0}
    while waiting and len(pixels) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if at in pixels:
            continue
        file.seek(at)
        directory.load(file)
        thumbnail = directory.get(_SUBFILE_TYPE, 0) & 1
        if at == first and not thumbnail:
            return first
        pixels[at] = 0 if thumbnail else directory[_WIDTH] * directory[_HEIGHT]
        waiting += [*directory.get(_SUB_DIRECTORIES, ()), directory.next]
    return max(pixels, key=lambda at: pixels[at]) or first
