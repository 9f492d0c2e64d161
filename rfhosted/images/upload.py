"""Fit an image to a size and to a byte budget, and record what was done."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from rfhosted.errors import TooLargeError

if TYPE_CHECKING:
    from rfhosted.images.sources import SourceImage

ImageSize: TypeAlias = "int | Literal['original'] | None"

#: JPEG quality of an image that keeps its size, of one that was scaled down, and the lower steps to
#: try, in turn, while the request is too large.
_QUALITY_KEPT, _QUALITY_SCALED, _QUALITY_STEPS = 95, 85, (75, 60, 45)
_UNTOUCHED = "sent as it was"


@dataclass(frozen=True, slots=True)
class Upload:
    """What was sent.

    Attributes:
        size: (width, height) in pixels, upright.
        nbytes: Bytes of the whole request body.
        format: "JPEG", "PNG" or "WEBP".
        quality: JPEG quality, or None where the file was sent untouched.
        changes: What was done to the image, in words.
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
            "image_size is a number of pixels (1 or more), 'original' or None (automatic), not"
            f" {size if isinstance(size, numbers.Number) else type(size).__name__}."
        )
    return int(size) if isinstance(size, numbers.Integral) else size


def scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(width, height) with a longest side of at most ``longest`` pixels; never enlarged."""
    ratio = min(1.0, longest / max(size))
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def fit(
    image: SourceImage, longest: int | None, *, budget: int, overhead: int
) -> tuple[bytes, Upload]:
    """The file to send, and the record of it.

    The file is sent untouched where it is small enough, upright and of a format that every server
    decodes. Otherwise it becomes a JPEG: scaled to ``longest``, then of lower quality, then
    smaller, until it fits.

    Args:
        image: The image to send.
        longest: Longest side in pixels; None sends every pixel or fails.
        budget: Bytes that the whole request body may have.
        overhead: Bytes of the body that are not the file.

    Raises:
        TooLargeError: It cannot be made to fit.
        ImageError: The file turned out to be broken.
    """
    size = image.size if longest is None else scaled(image.size, longest)
    # Servers turn a JPEG upright themselves; of the other formats that is not certain.
    upright = image.orientation == 1 or (longest is None and image.sent_as == "JPEG")
    if image.data and image.sent_as and size == image.size and upright:
        nbytes = len(image.data) + overhead
        if nbytes <= budget:
            return image.data, Upload(size, nbytes, image.sent_as, None, _UNTOUCHED)
        if longest is None:
            raise _too_large(nbytes, budget, size)
    for quality in (_QUALITY_KEPT if size == image.size else _QUALITY_SCALED, *_QUALITY_STEPS):
        data = image.jpeg(size, quality)
        nbytes = len(data) + overhead
        if nbytes <= budget:
            return data, _record(image, size, nbytes, quality)
    while longest is not None and max(size) > 1:
        # Bytes go with the area; 0.9 makes sure of progress where they do not.
        ratio = min(0.9, (max(budget - overhead, 1) / len(data)) ** 0.5)
        size = scaled(size, max(1, int(max(size) * ratio)))
        data = image.jpeg(size, quality)
        nbytes = len(data) + overhead
        if nbytes <= budget:
            return data, _record(image, size, nbytes, quality)
    raise _too_large(nbytes, budget, size)


def _record(image: SourceImage, size: tuple[int, int], nbytes: int, quality: int) -> Upload:
    changes = list(image.changes)
    if image.orientation != 1:
        changes.append("turned upright")
    if size != image.size:
        changes.append(f"scaled from {image.size[0]} x {image.size[1]}")
    changes.append(f"JPEG quality {quality}")
    return Upload(size, nbytes, "JPEG", quality, ", ".join(changes))


def _too_large(nbytes: int, budget: int, size: tuple[int, int]) -> TooLargeError:
    return TooLargeError(
        f"The request would have {nbytes:,} bytes for an image of {size[0]} x {size[1]} pixels,"
        f" and {budget:,} are allowed; nothing was sent"
    )
