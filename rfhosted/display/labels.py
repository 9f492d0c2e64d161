"""Class names at the boxes: inside the image, clear of each other, in the colour of the class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import ImageDraw

from rfhosted.display.fonts import fitted, width_of, write
from rfhosted.display.palette import colour, ink
from rfhosted.display.units import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from rfhosted.outputs.values import Detection

#: Objects from which on labels leave the percentage out, and shrink.
CROWD = 25
#: Part of the picture that labels may cover.
_LABELLED = 0.3


def write_labels(
    image: Image.Image,
    found: Sequence[Detection],
    boxes: npt.NDArray[np.float32],
    *,
    confidences: bool,
    line: int,
) -> None:
    """Class names at the boxes, inside the picture, clear of each other.

    A label that finds no room is left out, as are those that would bury the picture: the colour
    still tells the class, and the table names every object. Not by supervision's annotators:
    those take one font for all labels, leave the frame and cover each other.
    """
    crowd = len(found) > CROWD
    size = font_size(image.size, crowd=crowd)
    pad = max(1, size // 5)
    height = size * 1.25 + pad
    left_over = _LABELLED * image.width * image.height
    pen = ImageDraw.Draw(image)
    taken: list[tuple[float, float, float, float]] = []
    for i in _most_telling(found):
        item = found[i]
        score = f" {percent(item.confidence)}" if confidences and not crowd else ""
        text = fitted(item.class_name, item.class_id, score, size, image.width - 1 - 2 * pad)
        width = width_of(text) + 2 * pad
        spot = _free_spot(boxes[i], (width, height), image.size, taken, line)
        if spot is None or width * height > left_over:
            continue
        left_over -= width * height
        x, y = spot
        taken.append((x, y, x + width, y + height))
        background = colour(item.class_name)
        pen.rectangle(taken[-1], fill=background)
        write(pen, x + pad, y + height / 2, text, ink(background))


def _most_telling(found: Sequence[Detection]) -> list[int]:
    """Places in ``found``: the surest object of each class, then the others, surest first."""
    order = sorted(range(len(found)), key=lambda i: -found[i].confidence)
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(found[i].class_name, i)
    leading = set(first.values())
    return sorted(order, key=lambda i: i not in leading)


def _free_spot(
    box: npt.NDArray[np.float32],
    size: tuple[float, float],
    frame: tuple[int, int],
    taken: Iterable[tuple[float, float, float, float]],
    line: int,
) -> tuple[float, float] | None:
    """Left top of a label: above its box, inside it, below it; the first that covers no other."""
    x1, y1, x2, y2 = map(float, box)
    width, height = size
    half = line / 2
    wishes = (
        (x1 - half, y1 - height - half),
        (x1 - half, y1 - half),
        (x2 - width + half, y1 - height - half),
        (x1 - half, y2 + half),
        (x1 - half, y2 - height + half),
        (x2 - width + half, y2 + half),
    )
    if max(x2 - x1, y2 - y1) < height:
        taken = (*taken, (x1, y1, x2, y2))  # a label must not hide what it names
    room = frame[0] - 1 - width, frame[1] - 1 - height
    if min(room) < 0:
        return None
    for wish_x, wish_y in wishes:
        x, y = min(max(wish_x, 0), room[0]), min(max(wish_y, 0), room[1])
        if not any(
            x < right and left < x + width and y < bottom and top < y + height
            for left, top, right, bottom in taken
        ):
            return x, y
    return None


def side(size: tuple[int, int]) -> float:
    """Side of the square of the same area: a panorama is no large picture."""
    return math.sqrt(size[0] * size[1])


def font_size(size: tuple[int, int], *, crowd: bool = False) -> int:
    """Pixels: readable on a crop of 200 pixels, on a panorama and on a photo."""
    square = side(size)
    return round(max(11, square / 52) * (0.75 if crowd and square > 600 else 1))
