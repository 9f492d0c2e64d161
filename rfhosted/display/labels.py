"""Class names at the boxes: inside the image, clear of each other, in the colour of the class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import ImageDraw

from rfhosted.display.fonts import fitted, width_of, write
from rfhosted.display.palette import colour, ink
from rfhosted.display.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from PIL import Image

    from rfhosted.display.palette import Colour
    from rfhosted.outputs.values import Detection

    Floats = npt.NDArray[np.float64]

#: Number of objects from which on labels are smaller and have no percentage.
CROWD = 25
#: Part of the image that labels may cover.
_COVERED = 0.3


@dataclass(frozen=True, slots=True)
class Label:
    """What is written at a box.

    Attributes:
        name: Never left out; ``number`` is written instead where no font has its letters.
        number: See ``name``.
        rest: What follows the name where there is room.
        background: The colour under it.
    """

    name: str
    number: int
    rest: str
    background: Colour


def write_labels(
    image: Image.Image,
    objects: Sequence[Detection],
    boxes: npt.NDArray[np.float32],
    *,
    confidences: bool,
    line: int,
) -> None:
    """Write class names at the boxes; those of the highest confidence first."""
    crowd = len(objects) > CROWD
    scores = confidences and not crowd
    labels = [
        Label(
            item.class_name,
            item.class_id,
            f" {percent(item.confidence)}" if scores and item.confidence is not None else "",
            colour(item.class_name),
        )
        for item in objects
    ]
    order = _by_importance(objects)
    place_labels(image, [labels[i] for i in order], boxes[order], line=line)


def place_labels(
    image: Image.Image, labels: Sequence[Label], boxes: npt.NDArray[np.float32], *, line: int
) -> None:
    """Write labels at boxes, the most important ones first.

    A label that finds no room is left out, as are those that would bury the image: the colour
    still shows the class, and the table names every object. Not by supervision's annotators:
    those have one font for all labels, leave the image and cover each other.
    """
    size = font_size(image.size, crowd=len(labels) > CROWD)
    pad = max(1, size // 5)
    height = size * 1.25 + pad
    budget = _COVERED * image.width * image.height
    pen = ImageDraw.Draw(image)
    taken = np.zeros((0, 4))
    for label, box in zip(labels, boxes.tolist(), strict=True):
        text = fitted(label.name, label.number, label.rest, size, image.width - 1 - 2 * pad)
        width = width_of(text) + 2 * pad
        if width * height > budget:
            continue
        spot = _free_spot(box, (width, height), image.size, taken, line)
        if spot is None:
            continue
        budget -= width * height
        x, y = spot
        taken = np.vstack((taken, (x, y, x + width, y + height)))
        pen.rectangle((x, y, x + width, y + height), fill=label.background)
        write(pen, x + pad, y + height / 2, text, ink(label.background))


def _by_importance(objects: Sequence[Detection]) -> list[int]:
    """Indices: the best object of each class, then the others, by confidence."""
    order = sorted(range(len(objects)), key=lambda i: -objects[i].certainty)
    best: dict[str, int] = {}
    for i in order:
        best.setdefault(objects[i].class_name, i)
    leading = set(best.values())
    return sorted(order, key=lambda i: i not in leading)


def _free_spot(
    box: Sequence[float],
    size: tuple[float, float],
    frame: tuple[int, int],
    taken: Floats,
    line: int,
) -> tuple[float, float] | None:
    """Left top of a label: above its box, inside it, below it; the first that covers no other."""
    x1, y1, x2, y2 = box
    width, height = size
    half = line / 2
    room = frame[0] - 1 - width, frame[1] - 1 - height
    if min(room) < 0:
        return None
    if max(x2 - x1, y2 - y1) < height:
        taken = np.vstack((taken, box))  # a label must not hide the object that it names
    above, inside, below, lower = y1 - height - half, y1 - half, y2 + half, y2 - height + half
    left, right = x1 - half, x2 - width + half
    wishes = [(left, above), (left, inside), (right, above), (left, below)]
    wishes += [(left, lower), (right, below)]
    x, y = np.array(wishes).clip(0, room).T[:, :, None]
    covers = (x < taken[:, 2]) & (taken[:, 0] < x + width)
    covers &= (y < taken[:, 3]) & (taken[:, 1] < y + height)
    free = np.flatnonzero(~covers.any(axis=1))
    return (float(x[free[0], 0]), float(y[free[0], 0])) if len(free) else None


def side(size: tuple[int, int]) -> float:
    """Side of the square of the same area, in pixels: a panorama is not a large image."""
    return math.sqrt(size[0] * size[1])


def font_size(size: tuple[int, int], *, crowd: bool = False) -> int:
    """Pixels: readable on a crop of 200 pixels, on a panorama and on a photo."""
    square = side(size)
    return round(max(11, square / 52) * (0.75 if crowd and square > 600 else 1))
