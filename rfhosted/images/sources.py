"""Any kind of image as a ``SourceImage``: size and orientation known, pixels decoded late."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image, ImageFile

from rfhosted.errors import ImageError
from rfhosted.images import decoding
from rfhosted.images.formats import explain
from rfhosted.images.reading import bare, read

if TYPE_CHECKING:
    import os

    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

#: What ``predict`` takes: path, http(s) or file URL, data URI, base64, bytes, file object, PIL
#: image, numpy array (height, width, 3), uint8, RGB.
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
#: Formats that every server decodes, as the server knows them.
_SENT_AS = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}
_SCALED_TO_8_BITS = "16 or 32 bits scaled to 8"
#: A JPEG is decoded at the smallest of its scales that leaves nothing to the antialiased resize, or
#: this much.
_DRAFT_MARGIN = 1.5
#: Pixels; a larger image is made smaller before it is copied from Pillow to OpenCV.
_LARGE = 20_000_000
#: An image that shrinks by less than this holds next to nothing that could alias.
_SLIGHTLY = 1.25


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image, not yet decoded where it came as a file.

    Attributes:
        size: (width, height) in pixels, upright.
        format: Pillow's name of the file's format ("JPEG"), or None for pixels.
        data: The file's own bytes, or None for pixels.
        orientation: EXIF orientation of the stored pixels, 1 is upright.
        sent_as: Format under which the file may be sent untouched: "JPEG", "PNG", "WEBP"; or None.
        changes: What decoding leaves out or scales, in words.
    """

    size: tuple[int, int]
    format: str | None = None
    data: bytes | None = field(default=None, repr=False)
    orientation: int = 1
    sent_as: str | None = None
    changes: tuple[str, ...] = ()
    _pixels: Image.Image | None = None
    _scaled: dict[tuple[int, int], Pixels] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"SourceImage({self.size[0]}x{self.size[1]}, {self.format or 'pixels'})"

    @functools.cached_property
    def full(self) -> Image.Image:
        """The whole image: PIL RGB, upright, original size. Decoded once."""
        return self._decode()

    def at(self, size: tuple[int, int]) -> Image.Image:
        """The image scaled to (width, height): PIL RGB, upright, antialiased.

        Raises:
            ImageError: The file turned out to be broken.
        """
        return self.full if size == self.size else Image.fromarray(_swapped(self._scaled_to(size)))

    def jpeg(self, size: tuple[int, int], quality: int) -> bytes:
        """The image scaled to (width, height) as a JPEG file, upright.

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
        """BGR, upright. Kept as an OpenCV array: each way to Pillow and back is a copy."""
        import numpy as np

        scaled = self._scaled.get(size)
        if scaled is None:
            scaled = self._quickly_decoded(size)
            if scaled is None:
                whole = self.__dict__.get("full") or self._decode()
                if whole.width * whole.height > _LARGE:
                    ratio = min(self.size[0] // size[0], self.size[1] // size[1])
                    whole = whole.reduce(max(1, ratio // 4))  # the rest is for the exact size
                scaled = _swapped(_shrunk(np.asarray(whole), size))
            scaled = _shrunk(scaled, size)
            self._scaled.clear()  # the last size is the one that is drawn again and again
            self._scaled[size] = scaled
        return scaled  # not what is kept: another thread may want another size

    def _quickly_decoded(self, size: tuple[int, int]) -> Pixels | None:
        """A JPEG by OpenCV, as the servers decode it; None leaves it to Pillow, which says why not.

        BGR, upright, scaled while it is decoded, to no less than ``size``.
        """
        import cv2
        import numpy as np

        if self.data is None or self.sent_as != "JPEG" or "full" in self.__dict__:
            return None
        ratio = min(whole / part for whole, part in zip(self.size, size, strict=True))
        exact = {scale: tuple(part * scale for part in size) == self.size for scale in (8, 4, 2)}
        scale = next((n for n in exact if exact[n] or ratio >= n * _DRAFT_MARGIN), 1)
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
        data = self.data or b""
        # Decoders of rare formats may warn; the others do not, and need not wait for each other.
        silence = contextlib.nullcontext() if self.sent_as else decoding.quiet()
        try:
            with decoding.opened(data) as image, silence:
                rgb = decoding.to_rgb(image, data)
        except Exception as error:  # noqa: BLE001 - a decoder of a foreign format raises anything
            problem = explain(error, data)
        else:
            turn = _UPRIGHT.get(self.orientation)
            return rgb if turn is None else rgb.transpose(turn)
        raise problem


def load(image: ImageLike) -> SourceImage:
    """Look at an image of any kind but an http(s) URL: see ``is_url``.

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
    return _from_bytes(read(image))


def is_url(image: ImageLike) -> bool:
    """Whether the image is an http(s) URL; ``reading.bare`` makes it ready to fetch."""
    return isinstance(image, str) and re.match(r"https?://", bare(image), re.IGNORECASE) is not None


def _from_bytes(data: bytes) -> SourceImage:
    if not data:
        raise ImageError("The image file is empty", advice="Copy or download the file again.")
    try:
        with decoding.quiet():
            data = decoding.full_size_first(data)
            with decoding.opened(data) as image:
                return _described(image, data)
    except Exception as error:  # noqa: BLE001 - a decoder of a foreign format raises anything
        problem = explain(error, data)
    if pixels := decoding.png_by_opencv(data):
        return _from_pixels(pixels)
    raise problem


def _described(image: ImageFile.ImageFile, data: bytes) -> SourceImage:
    kind, size = image.format, image.size
    # The second image of an MPO is another view of the first; a PSD's layers make one image.
    several = kind not in ("MPO", "PSD") and getattr(image, "is_animated", False)
    changes = ["first of several images"] * several
    orientation = decoding.orientation(image, data)
    if deep := decoding.is_deep(image):
        changes.append(_SCALED_TO_8_BITS)
    decoding.check_end(image, data)
    return SourceImage(
        size[::-1] if orientation > 4 else size,
        kind,
        data,
        orientation,
        None if several or deep else _SENT_AS.get(str(kind)),
        tuple(changes),
    )


def _from_pixels(image: Image.Image) -> SourceImage:
    deep, file = decoding.is_deep(image), getattr(image, "fp", None)
    unread = bool(getattr(image, "tile", None))
    closed = unread and (file is None or file.closed)
    try:
        with decoding.quiet() if unread else contextlib.nullcontext():
            turn = _UPRIGHT.get(decoding.orientation(image))
            rgb = decoding.to_rgb(image)
    except Exception as error:  # noqa: BLE001 - a decoder of a foreign format raises anything
        problem = explain(error)
        closed = closed or "closed" in str(error)
    else:
        upright = rgb if turn is None else rgb.transpose(turn)
        if 0 not in upright.size:
            changes = (_SCALED_TO_8_BITS,) if deep else ()
            return SourceImage(upright.size, changes=changes, _pixels=upright)
        problem = ImageError("The image has no pixels", advice="Pass one of 1 x 1 or more.")
    if closed:
        problem = ImageError(
            "The PIL image was closed before its pixels were read",
            advice="Use it inside its with block, call its load() there, or pass the path.",
        )
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


def _shrunk(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Smaller without aliasing, in half of Pillow's time or less."""
    import cv2

    # Averaging over the area of each new pixel is what it takes; where next to nothing is left out,
    # weighing the nearest four gives the same detections in a fifth of the time.
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    slight = width < _SLIGHTLY * size[0] and height < _SLIGHTLY * size[1]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR if slight else cv2.INTER_AREA)  # type: ignore[return-value]  # as above


def _swapped(pixels: Pixels) -> Pixels:
    """RGB from BGR, BGR from RGB."""
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]  # as above


def _unread_file(image: Image.Image) -> bytes | None:
    """The file behind an image that was opened and not touched yet: the best upload of all."""
    with contextlib.suppress(Exception):  # then its pixels are taken, or say what is wrong
        if isinstance(image, ImageFile.ImageFile) and image.tile and image.fp and not image.tell():
            position = image.fp.tell()
            image.fp.seek(0)
            data = image.fp.read()
            image.fp.seek(position)
            with decoding.opened(decoding.full_size_first(data)) as again:
                # Another size: draft() was called on it, and the caller means that one.
                if (again.format, again.size) == (image.format, image.size):
                    return data
    return None
