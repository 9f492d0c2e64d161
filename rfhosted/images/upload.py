"""Fit a picture to a size and to a byte budget, and record what was done."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from rfhosted.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfhosted.images.sources import SourceImage

ImageSize: TypeAlias = "int | Literal['original'] | None"

#: Formats that every server decodes, so that a file may go as it is.
_SENT_AS_IS = {"JPEG", "MPO", "PNG", "WEBP"}
#: JPEG quality of a picture that keeps its size, of one that was scaled down, and the steps below
#: that are taken, in turn, when the request is too large.
_QUALITY_KEPT, _QUALITY_SCALED, _QUALITY_STEPS = 95, 85, (75, 60, 45)


@dataclass(frozen=True, slots=True)
class Upload:
    """What was sent.

    Attributes:
        size: (width, height) in pixels, upright.
        nbytes: Bytes of the whole request body.
        format: "JPEG", "PNG" or "WEBP".
        quality: JPEG quality, or None where the file went as it was.
        changes: What was done to the picture, in words.
    """

    size: tuple[int, int]
    nbytes: int
    format: str
    quality: int | None
    changes: str


def check_size(size: ImageSize) -> ImageSize:
    """The image size as Python's own int, or as it is.

    Raises:
        ValueError: Neither a number of pixels, nor "original", nor None.
    """
    whole = isinstance(size, numbers.Integral) and not isinstance(size, bool) and size > 0
    if not (size is None or size == "original" or whole):
        raise ValueError(
            f"image_size is a number of pixels, 'original' or None (automatic), not {size!r}."
        )
    return int(size) if isinstance(size, numbers.Integral) else size


def scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(width, height) with a longest side of at most ``longest`` pixels; never enlarged."""
    ratio = min(1.0, longest / max(size))
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def fit(
    picture: SourceImage, longest: int | None, *, budget: int, around: Callable[[str], int]
) -> tuple[bytes, Upload]:
    """The file to send, and the record of it.

    The file goes untouched where it is small enough and upright. Else it is a JPEG: scaled to
    ``longest``, then of lower quality, then smaller, until it fits.

    Args:
        picture: What to send.
        longest: Longest side in pixels; None sends every pixel or fails.
        budget: Bytes that the whole body may have.
        around: Bytes of the body that are not the file, for a file's format.

    Raises:
        TooLargeError: Nothing that may be done makes it fit.
        ImageError: The file turned out to be broken.
    """
    size = picture.size if longest is None else scaled(picture.size, longest)
    # The servers turn a JPEG upright themselves, and of the formats only that one for certain.
    upright = picture.orientation == 1 or (longest is None and picture.format in ("JPEG", "MPO"))
    if picture.data and size == picture.size and upright and picture.format in _SENT_AS_IS:
        kind = "JPEG" if picture.format == "MPO" else str(picture.format)
        nbytes = len(picture.data) + around(kind)
        if nbytes <= budget:
            return picture.data, Upload(size, nbytes, kind, None, "sent as it was")
        if longest is None:
            raise _too_large(nbytes, budget, size)
    room = budget - around("JPEG")
    first = _QUALITY_KEPT if size == picture.size else _QUALITY_SCALED
    for quality in (first, *_QUALITY_STEPS):
        data = picture.jpeg(size, quality)
        if len(data) <= room:
            return data, _record(picture, size, len(data) + budget - room, quality)
    if longest is None:
        raise _too_large(len(data) + budget - room, budget, size)
    while max(size) > 1:
        # Bytes go with the area; 0.9 makes sure of progress where they do not.
        ratio = min(0.9, (max(room, 1) / len(data)) ** 0.5)
        size = scaled(size, max(1, int(max(size) * ratio)))
        data = picture.jpeg(size, quality)
        if len(data) <= room:
            return data, _record(picture, size, len(data) + budget - room, quality)
    raise _too_large(len(data) + budget - room, budget, size)


def _record(picture: SourceImage, size: tuple[int, int], nbytes: int, quality: int) -> Upload:
    changes = [f"JPEG quality {quality}"]
    if size != picture.size:
        changes.insert(0, f"scaled from {picture.size[0]} x {picture.size[1]}")
    if picture.orientation != 1:
        changes.insert(0, "turned upright")
    return Upload(size, nbytes, "JPEG", quality, ", ".join(changes))


def _too_large(nbytes: int, budget: int, size: tuple[int, int]) -> TooLargeError:
    return TooLargeError(
        f"The request would have {nbytes:,} bytes for a picture of {size[0]} x {size[1]} pixels,"
        f" and {budget:,} are allowed; nothing was sent"
    )
