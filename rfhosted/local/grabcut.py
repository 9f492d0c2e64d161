"""One object by points and a box: GrabCut, started from the saliency model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from rfhosted.local import onnx_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

#: Longest side in pixels on which GrabCut works: its time grows with the area.
_LONGEST_SIDE = 512
_ITERATIONS = 4
#: Share of a box below which the saliency model found a detail of the object only.
_LEAST_SALIENT = 0.15
#: Half the side of the window around the points, where there is no box, as a share of the image.
_WINDOW = 0.3


def segment(
    rgb: npt.NDArray[np.uint8],
    points: Sequence[tuple[float, float, bool]],
    box: tuple[float, float, float, float] | None,
) -> tuple[npt.NDArray[np.bool_], float]:
    """The mask of one object, bool (height, width), and the mean saliency in it.

    Args:
        rgb: uint8 (height, width, 3).
        points: x, y in pixels of ``rgb``, and whether the point belongs to the object.
        box: x0, y0, x1, y1 around the object, or None.
    """
    height, width = rgb.shape[:2]
    ratio = min(1.0, _LONGEST_SIDE / max(height, width))
    size = max(2, round(width * ratio)), max(2, round(height * ratio))
    small = np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    across, down = size[0] / width, size[1] / height
    spots = [(int(x * across), int(y * down), positive) for x, y, positive in points]
    x0, y0, x1, y1 = _window(size, spots) if box is None else _scaled(box, across, down, size)
    salient = np.zeros(small.shape[:2], np.float32)
    salient[y0:y1, x0:x1] = onnx_models.salient(small[y0:y1, x0:x1])
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    likely = salient[y0:y1, x0:x1] > 0.5
    labels[y0:y1, x0:x1] = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    if likely.mean() < _LEAST_SALIENT:
        _ellipse(labels[y0:y1, x0:x1])
    radius = max(2, min(size) // 60)
    for x, y, positive in spots:
        if positive:  # around a point the object is likely, whatever the saliency
            cv2.circle(labels, (x, y), 4 * radius, cv2.GC_PR_FGD, -1)
    for x, y, positive in spots:
        cv2.circle(labels, (x, y), radius, cv2.GC_FGD if positive else cv2.GC_BGD, -1)
    if not (labels == cv2.GC_BGD).any():  # a box as large as the image: its rim is background
        labels[[0, -1], :] = labels[:, [0, -1]] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # GrabCut starts its clusters at random
    cv2.grabCut(small, labels, None, *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]  # None is no rectangle
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    found = _parts(found, [(x, y) for x, y, positive in spots if positive])
    confidence = float(salient[found].mean()) if found.any() else 0.0
    full = cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, bool), confidence


def _scaled(
    box: tuple[float, float, float, float], across: float, down: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """A box on the small image, at least two pixels wide and high."""
    x0 = min(max(int(box[0] * across), 0), size[0] - 2)
    y0 = min(max(int(box[1] * down), 0), size[1] - 2)
    x1 = min(max(round(box[2] * across), x0 + 2), size[0])
    y1 = min(max(round(box[3] * down), y0 + 2), size[1])
    return x0, y0, x1, y1


def _window(
    size: tuple[int, int], spots: Sequence[tuple[int, int, bool]]
) -> tuple[int, int, int, int]:
    """The part of the image around the points of the object."""
    inside = [(x, y) for x, y, positive in spots if positive] or [(x, y) for x, y, _ in spots]
    reach = round(_WINDOW * max(size))
    xs, ys = [x for x, _ in inside], [y for _, y in inside]
    box = min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach
    return _scaled(box, 1, 1, size)


def _ellipse(labels: npt.NDArray[np.uint8]) -> None:
    """Where little is salient, the middle of the box is likely the object."""
    height, width = labels.shape
    middle = np.zeros((height, width), np.uint8)
    axes = max(1, width // 3), max(1, height // 3)
    cv2.ellipse(middle, (width // 2, height // 2), axes, 0, 0, 360, 1, -1)
    labels[middle == 1] = cv2.GC_PR_FGD


def _parts(mask: npt.NDArray[np.bool_], points: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """The connected parts under the points; the largest where there are none."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count <= 1:
        return mask
    height, width = mask.shape
    ids = {int(parts[min(y, height - 1), min(x, width - 1)]) for x, y in points} - {0}
    wanted = ids or {1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())}
    return np.isin(parts, list(wanted))
