"""Advice that the objects in an image suggest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfhosted.prediction.base import Prediction

#: What tiling is, and what it costs; rfhosted does not do it.
TILING = (
    "Many or small objects: a model scales the image to its input size, and small objects lose"
    " their detail. Tiling (slicing) sends overlapping parts of the image one by one and merges the"
    " boxes, so it finds more of them. Each tile is a request of its own, and costs as much as one."
    " supervision.InferenceSlicer does it with any model."
)
#: Objects from which on an image is crowded.
_MANY = 20
#: Objects that must be small, and at least half of all; the side of the square of a small object's
#: area, as a part of that of the image: COCO calls 32 pixels small, in images of about 550.
_SOME, _SMALL = 5, 0.06


def tiling_hint(prediction: Prediction) -> str | None:
    """What tiling is, where the objects of an image are many or small; else None.

    Args:
        prediction: What a model found, or the ground truth where there is one: a model that misses
            every small object gives no reason for a hint.
    """
    objects = getattr(prediction, "objects", ())
    width, height = prediction.source_image.size
    limit = _SMALL**2 * width * height
    small = 0
    for item in objects:
        x1, y1, x2, y2 = item.box
        small += math.fabs((x2 - x1) * (y2 - y1)) < limit
    crowded = len(objects) >= _MANY or (small >= _SOME and 2 * small >= len(objects))
    return TILING if crowded else None
