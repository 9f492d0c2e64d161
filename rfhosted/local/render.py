"""``format=image``: predictions drawn by the server, as plainly as the real one does it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from rfhosted.local.parameters import Parameters

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_THICKEST = 100  # pixels of a line; OpenCV itself refuses 32,768


def render(rgb: npt.NDArray[np.uint8], response: dict[str, Any], parameters: Parameters) -> bytes:
    """The image as a JPEG, with boxes, outlines, keypoints or the class name.

    Args:
        rgb: uint8 (height, width, 3).
        response: A V2 response with detections or with classes, in pixels of ``rgb``.
        parameters: Whether labels are written beside boxes, and the width of lines.
    """
    canvas = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if "top" in response:
        _write(canvas, f"{response['top']} {response['confidence']:.2f}", (0, 0), (255, 255, 255))
    else:
        stroke = min(max(1, parameters.stroke), _THICKEST)
        for item in response["predictions"]:
            _draw(canvas, item, labels=parameters.labels, stroke=stroke)
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


def _write(canvas: Any, text: str, corner: tuple[int, int], colour: tuple[int, ...]) -> None:
    """Dark text on a plate above the corner or, if there is no room, below it."""
    (width, height), below = cv2.getTextSize(text, _FONT, 0.5, 1)
    left, bottom = max(0, corner[0]), corner[1]
    if bottom < height + 2 * below:
        bottom = max(0, bottom) + height + 2 * below
    plate = (left, bottom - height - 2 * below), (left + width, bottom)
    cv2.rectangle(canvas, *plate, colour, cv2.FILLED)
    cv2.putText(canvas, text, (left, bottom - below), _FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
