"""Any kind of image as a ``SourceImage``: size and orientation known, pixels decoded late."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import io
import os
import re
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image, ImageFile

from rfhosted.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

#: What ``predict`` takes: path, http(s) URL or data URI, bytes, file object, PIL image,
#: numpy array (height, width, 3), uint8, RGB.
ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Any"

#: EXIF orientation -> what makes the stored pixels upright (EXIF 2.32, 4.6.4.A).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION_TAG = 0x0112
#: A JPEG is decoded at the smallest of its scales that leaves this much to the antialiased resize.
_DRAFT_MARGIN = 1.5
#: Pictures that shrink by less than this hold next to nothing that could alias.
_SLIGHTLY = 1.25
#: What Pillow raises for files that are broken in one way or another.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)
_TRUNCATED = "The image file is truncated: its end is missing"


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One picture, not yet decoded where it came as a file.

    Attributes:
        size: (width, height) in pixels, upright.
        format: Pillow's name of the file's format ("JPEG"), or None for pixels.
        data: The file's own bytes, or None for pixels.
        orientation: EXIF orientation of the stored pixels, 1 is upright.
    """

    size: tuple[int, int]
    format: str | None
    data: bytes | None
    orientation: int
    _pixels: Image.Image | None = None
    _scaled: dict[tuple[int, int], Pixels] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"SourceImage({self.size[0]}x{self.size[1]}, {self.format or 'pixels'})"

    @functools.cached_property
    def full(self) -> Image.Image:
        """The whole picture: PIL RGB, upright, original size. Decoded once."""
        return self._decode()

    def at(self, size: tuple[int, int]) -> Image.Image:
        """The picture scaled to (width, height): PIL RGB, upright, antialiased.

        Raises:
            ImageError: The file turned out to be broken.
        """
        return self.full if size == self.size else Image.fromarray(_swapped(self._scaled_to(size)))

    def jpeg(self, size: tuple[int, int], quality: int) -> bytes:
        """The picture scaled to (width, height) as a JPEG file, upright.

        Args:
            size: (width, height) in pixels.
            quality: JPEG quality, 0 to 100.

        Raises:
            ImageError: The file turned out to be broken.
        """
        import cv2

        pixels = self._scaled_to(size)
        _, file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return file.tobytes()

    def _scaled_to(self, size: tuple[int, int]) -> Pixels:
        """BGR, upright. Kept in OpenCV's hands: each way to Pillow and back is a copy."""
        import numpy as np

        scaled = self._scaled.get(size)
        if scaled is None:
            pixels = self._quickly_decoded(size)
            if pixels is None:
                pixels = _swapped(np.asarray(self.__dict__.get("full") or self._decode()))
            scaled = pixels if pixels.shape[1::-1] == size else _shrunk(pixels, size)
            self._scaled.clear()  # the last size is the one that is drawn again and again
            self._scaled[size] = scaled
        return scaled  # not what is kept: another thread may want another size

    def _quickly_decoded(self, size: tuple[int, int]) -> Pixels | None:
        """A JPEG by OpenCV, as the servers decode it; None leaves it to Pillow, which says why not.

        BGR, upright, scaled while it is decoded, to no less than ``size``.
        """
        import cv2
        import numpy as np

        if self.data is None or self.format not in ("JPEG", "MPO") or "full" in self.__dict__:
            return None
        room = min(whole / part for whole, part in zip(self.size, size, strict=True))
        scale = next((scale for scale in (8, 4, 2) if room >= scale * _DRAFT_MARGIN), 1)
        how = cv2.IMREAD_COLOR if scale == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{scale}")
        width, height = (-(-side // scale) for side in self.size)
        with contextlib.suppress(cv2.error):
            pixels = cv2.imdecode(np.frombuffer(self.data, np.uint8), how)
            if pixels is not None and pixels.shape == (height, width, 3):
                return pixels  # type: ignore[return-value]  # OpenCV's types know no dtype
        return None

    def _decode(self) -> Image.Image:
        if self._pixels is not None:
            return self._pixels
        try:
            with Image.open(io.BytesIO(self.data or b"")) as image:
                rgb = _to_rgb(image)
        except _BROKEN as error:
            problem = _explain(error)
        else:
            turn = _UPRIGHT.get(self.orientation)
            return rgb if turn is None else rgb.transpose(turn)
        raise problem


def load(image: ImageLike) -> SourceImage:
    """Look at an image of any kind. URLs are for the network's room: see ``is_url``.

    Raises:
        ImageError: No such file, or not an image, empty, truncated, or a decompression bomb.
        TypeError: Not a kind of image, or an array of another dtype than uint8.
        ValueError: An array of another shape than (height, width, 3).
    """
    if isinstance(image, SourceImage):
        return image
    if isinstance(image, Image.Image):
        data = _unread_file(image)
        return _from_pixels(image) if data is None else _from_bytes(data)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(image, numpy.ndarray):
        return _from_array(image)
    return _from_bytes(_read(image))


def is_url(image: ImageLike) -> bool:
    """Whether the image is an http(s) address."""
    return isinstance(image, str) and re.match(r"https?://", image, re.IGNORECASE) is not None


def _read(image: ImageLike) -> bytes:
    if isinstance(image, (bytes, bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, str) and image[:5].lower() == "data:":
        return _from_data_uri(image)
    if isinstance(image, (str, os.PathLike)):
        return _from_path(Path(image))
    if callable(read := getattr(image, "read", None)):
        data = read()
        if isinstance(data, bytes):
            return data
        raise TypeError('The file is open as text; open it with mode "rb".')
    raise TypeError(
        f"{type(image).__name__} is no kind of image: pass a path, a URL, a data URI, bytes, a file"
        " object, a PIL image or a numpy array (height, width, 3) of uint8, RGB."
    )


def _from_path(path: Path) -> bytes:
    path = path.expanduser()
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
    name = str(path) if len(str(path)) < 200 else str(path)[:200] + "…"
    raise ImageError(
        f"The image file {name!r} cannot be read: {reason}",
        advice=f"Check the path; the working directory is {Path.cwd()}.",
    )


def _from_data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if comma and head.lower().endswith(";base64"):
        try:
            return base64.b64decode(re.sub(r"\s", "", body), validate=True)
        except binascii.Error:
            pass
    raise ImageError("The data URI does not hold a base64 image")


def _from_bytes(data: bytes) -> SourceImage:
    if not data:
        raise ImageError("The image file is empty")
    problem: ImageError | None = None
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = image.format
            if _is_truncated(image, data):
                problem = ImageError(_TRUNCATED)
            # Pillow turns TIFF upright by itself.
            orientation = 1 if kind == "TIFF" else _orientation(image, data)
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        problem = ImageError(
            "The image has too many pixels to be decoded safely (a decompression bomb?)",
            advice="Scale it down first, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it.",
        )
    except _BROKEN as error:
        problem = _explain(error)
    if problem:
        raise problem
    size = (height, width) if orientation > 4 else (width, height)
    return SourceImage(size, kind, data, orientation)


def _from_pixels(image: Image.Image) -> SourceImage:
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
    try:
        rgb = _to_rgb(image)
    except _BROKEN as error:
        problem = _explain(error)
    else:
        upright = rgb if turn is None else rgb.transpose(turn)
        return SourceImage(upright.size, None, None, 1, upright)
    raise problem


def _from_array(array: npt.NDArray[Any]) -> SourceImage:
    if array.dtype != "uint8":
        raise TypeError(
            f"The array holds {array.dtype}; an image array holds uint8, 0 to 255 (for floats from"
            " 0 to 1: (array * 255).astype('uint8'))."
        )
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(
            f"The array has shape {array.shape}; an image array has (height, width, 3), RGB. From"
            " OpenCV's BGR: array[:, :, ::-1]; from grey: numpy.stack([array] * 3, axis=-1)."
        )
    # Copied: what the caller does with the array afterwards must not change the result.
    return _from_pixels(Image.frombytes("RGB", array.shape[1::-1], array.tobytes()))


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new RGB image with the pixels that the server sees: alpha dropped, 16 bits cut to 8."""
    if image.mode.startswith("I"):
        import numpy as np

        high = (np.asarray(image).astype("int64") >> 8).clip(0, 255)
        return Image.fromarray(high.astype("uint8")).convert("RGB")
    if image.mode == "F":
        raise ValueError("it holds floating-point values; save it with 8 bits a channel")
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")  # a copy where it is RGB already


def _shrunk(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Smaller without aliasing, in half of Pillow's time or less."""
    import cv2

    # Averaging over the area of each new pixel is what it takes; where next to nothing is left out,
    # weighing the nearest four gives the same detections in a fifth of the time.
    height, width = pixels.shape[:2]
    slight = width < _SLIGHTLY * size[0] and height < _SLIGHTLY * size[1]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR if slight else cv2.INTER_AREA)  # type: ignore[return-value]  # as above


def _swapped(pixels: Pixels) -> Pixels:
    """RGB from BGR, BGR from RGB."""
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]  # as above


def _unread_file(image: Image.Image) -> bytes | None:
    """The file behind an image that was opened and not touched yet: the best upload of all."""
    source = getattr(image, "fp", None)
    untouched = isinstance(image, ImageFile.ImageFile) and bool(image.tile) and image.tell() == 0
    if not untouched or source is None or not source.seekable():
        return None
    position = source.tell()
    source.seek(0)
    data: bytes = source.read()
    source.seek(position)
    try:
        with Image.open(io.BytesIO(data)) as again:
            # Another size: draft() was called on it, and the caller means that one.
            return data if (again.format, again.size) == (image.format, image.size) else None
    except _BROKEN:
        return None


def _orientation(image: Image.Image, data: bytes) -> int:
    # Pillow decodes a whole PNG to learn that it has no EXIF behind its pixels.
    if image.format == "PNG" and b"eXIf" not in data and b"Raw profile type exif" not in data:
        return 1
    found = image.getexif().get(_ORIENTATION_TAG, 1)
    return found if found in _UPRIGHT else 1


def _is_truncated(image: Image.Image, data: bytes) -> bool:
    """Whether a file that may be sent as it is lacks its end; told without decoding it."""
    if image.format in ("JPEG", "MPO"):
        return not _jpeg_ends(data)
    if image.format == "WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if image.format == "PNG":
        return b"IEND" not in data[-4096:]
    return False


def _jpeg_ends(data: bytes) -> bool:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            # Inside the scan a 0xFF is always escaped, so this can only be the end marker.
            end = b"\xff\xd9"
            return data.find(end, max(at, len(data) - 4096)) >= 0 or data.find(end, at) >= 0
        # 0xFF may be repeated as padding before a marker.
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _explain(error: Exception) -> ImageError:
    text = str(error)
    if "truncated" in text.lower():
        return ImageError(_TRUNCATED)
    if "cannot identify" in text or not text:
        return ImageError("The file is not an image, or of a format that cannot be read")
    return ImageError(f"The image cannot be decoded: {text}")
