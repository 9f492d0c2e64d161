"""``format=image``: the answer drawn by the server, as plainly as the real one does it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def render(
    bgr: npt.NDArray[np.uint8], answer: dict[str, Any], *, labels: bool, stroke: int
) -> bytes:
    """The picture as a JPEG, with boxes, outlines, key points or class names.

    Args:
        bgr: uint8 (height, width, 3).
        answer: A V2 answer of objects or of classes.
        labels: Whether class names are written beside boxes.
        stroke: Width of lines in pixels.
    """
    canvas = bgr.copy()
    if "top" in answer:
        _write(canvas, f"{answer['top']} {answer['confidence']:.2f}", (0, 0), (255, 255, 255))
    else:
        for item in answer["predictions"]:
            _draw(canvas, item, labels=labels, stroke=max(1, stroke))
    _, encoded = cv2.imencode(".jpg", canvas)
    return encoded.tobytes()


def _draw(canvas: Any, item: dict[str, Any], *, labels: bool, stroke: int) -> None:
    colour = tuple(128 + byte // 2 for byte in hashlib.sha256(item["class"].encode()).digest()[:3])
    x, y, width, height = (item[name] for name in ("x", "y", "width", "height"))
    left, top = int(x - width / 2), int(y - height / 2)
    cv2.rectangle(canvas, (left, top), (int(left + width), int(top + height)), colour, stroke)
    if item.get("points"):
        outline = np.array([(p["x"], p["y"]) for p in item["points"]], dtype=np.int32)
        cv2.polylines(canvas, [outline], isClosed=True, color=colour, thickness=stroke)
    for point in item.get("keypoints", ()):
        cv2.circle(canvas, (int(point["x"]), int(point["y"])), stroke + 2, colour, -1)
    if labels:
        _write(canvas, f"{item['class']} {item['confidence']:.2f}", (left, top), colour)


def _write(canvas: Any, words: str, corner: tuple[int, int], colour: tuple[int, ...]) -> None:
    """Dark words on a plate, which stands on the corner or, for want of room, hangs from it."""
    (width, height), below = cv2.getTextSize(words, _FONT, 0.5, 1)
    left, bottom = max(0, corner[0]), corner[1]
    if bottom < height + 2 * below:
        bottom = max(0, bottom) + height + 2 * below
    plate = (left, bottom - height - 2 * below), (left + width, bottom)
    cv2.rectangle(canvas, *plate, colour, cv2.FILLED)
    cv2.putText(canvas, words, (left, bottom - below), _FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
