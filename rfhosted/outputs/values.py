"""What a model outputs, as plain values; coordinates are pixels of the original, upright image."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """One keypoint: pixels of the original image, slot in the skeleton, confidence in [0, 1]."""

    x: float
    y: float
    confidence: float
    class_id: int
    class_name: str


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """An outline, float32 of shape (n, 2), n >= 3: x, y in pixels of the original image."""

    points: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Rle:
    """A COCO run-length mask on a grid that covers the whole image.

    Attributes:
        size: (height, width) of the grid; may differ from the image's own size.
        counts: int32 run lengths, column by column, background first, as in COCO.
    """

    size: tuple[int, int]
    counts: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One object: class, confidence in [0, 1] and box (x1, y1, x2, y2), not clipped to the image.

    ``confidence`` is None where the model reports none. ``corners`` are the four of a turned box,
    (x, y) in pixels; None where only the box is known. ``mask`` is None
    where the task has none, or where the outline has no area (under three points). ``key_points``
    holds those in the response, in its order.
    """

    class_name: str
    class_id: int
    confidence: float | None
    box: Box
    mask: Polygon | Rle | None = None
    key_points: tuple[KeyPoint, ...] = ()
    corners: tuple[tuple[float, float], ...] | None = None

    @property
    def certainty(self) -> float:
        """The confidence to sort by: 1 where the model reports none."""
        return 1.0 if self.confidence is None else self.confidence


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of a classification and its score."""

    class_name: str
    class_id: int
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """A class for every pixel.

    Attributes:
        class_ids: uint8 of shape (height, width), mostly of the image that was sent.
        confidence: uint8 of the same shape, 255 is certain; None where it is not reported.
        names: id -> class name. Pixels with an id that is not among them are void.
        background: The id of the background, or None where the model has none.
    """

    class_ids: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.uint8] | None
    names: dict[int, str]
    background: int | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """A classification: scores, best first, and the classes that a multi-label model predicts."""

    ranked: tuple[ClassScore, ...]
    predicted_classes: tuple[str, ...] | None  # None: a single-label model
    similarity: bool = False  # the scores are cosine similarities in [-1, 1], not confidences


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and where its parts are in the image, if that is reported."""

    text: str
    detections: tuple[Detection, ...] = ()


Output: TypeAlias = "tuple[Detection, ...] | Ranking | ClassMap | Text"


def check_fraction(name: str, value: float | None) -> None:
    """Check an argument that is a fraction: the servers take 1 and more as percent.

    Raises:
        TypeError: Not a number.
        ValueError: Outside [0, 1].
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is a fraction from 0 to 1, not {value!r}.")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a fraction from 0 to 1, not {value!r} (40 % is 0.4).")


def check_whole(
    name: str, value: int, unit: str, *, least: int = 1, most: int | None = None
) -> None:
    """Check an argument that is a whole number, of pixels or rows for example.

    Raises:
        TypeError: Not a whole number.
        ValueError: Less than ``least`` or more than ``most``.
    """
    expected = f"{name} is a whole number of {unit}, {least} or more"
    if most is not None:
        expected = f"{name} is a whole number of {unit} from {least} to {most:,}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{expected}, not {value!r}.")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{expected}, not {value!r}.")
