"""Masks on any grid: COCO run lengths and polygons, cut to where they are.

A mask of a 12-megapixel picture is 12 MB as an array, so nothing here makes one before it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rfhosted.outputs.values import Polygon, Rle

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

#: Elements of a stack of masks up to which it is an ordinary array.
_DENSE_LIMIT = 64_000_000
#: Run lengths and grids from here on are no picture's: Pillow itself warns at 2**27 pixels.
_LONGEST_RUN, _LARGEST_GRID = 2**31, 2**28


def decode_counts(counts: str | bytes | Sequence[int]) -> npt.NDArray[np.int64]:
    """COCO's compressed counts (or a plain list of them) as run lengths, int64.

    Each number is a little-endian chain of 5-bit groups, one a character, and from the fourth on
    the difference to the one two places before (pycocotools, maskApi.c, rleFrString).

    Raises:
        ValueError: Not such a string, or lengths that are no whole numbers, negative or absurd.
    """
    if isinstance(counts, (str, bytes)):
        lengths = _decompress(counts.encode("ascii") if isinstance(counts, str) else counts)
    else:
        lengths = np.asarray(counts)
        if lengths.dtype.kind not in "iu" and lengths.size:  # an empty list is of floats
            raise ValueError("run lengths are whole numbers")
    if lengths.ndim != 1 or (lengths < 0).any() or (lengths >= _LONGEST_RUN).any():
        raise ValueError("run lengths are a flat list of numbers that are 0 or more")
    return lengths.astype(np.int64)


def _decompress(text: bytes) -> npt.NDArray[np.int64]:
    groups = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if not len(groups):
        return groups
    last = np.flatnonzero(groups & 32 == 0)  # the characters that end a number
    first = np.concatenate(([0], last[:-1] + 1)).astype(np.intp)
    size = last - first + 1
    whole = len(last) and last[-1] == len(groups) - 1
    # Seven groups hold every length that is allowed; sums of more could overflow unseen.
    if not whole or groups.min() < 0 or groups.max() > 63 or size.max() > 7:
        raise ValueError("these are no compressed run lengths")
    place = np.arange(len(groups)) - np.repeat(first, size)
    numbers = np.add.reduceat((groups & 31) << (5 * place), first)
    numbers -= np.where(groups[last] & 16, np.int64(1) << (5 * size), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return np.asarray(numbers, dtype=np.int64)


def rle(size: tuple[int, int], counts: npt.NDArray[np.int64]) -> Rle:
    """A mask on a grid of ``size`` (height, width).

    Raises:
        ValueError: The run lengths do not fill the grid, or it is too large for any picture.
    """
    if size[0] * size[1] > _LARGEST_GRID:
        raise ValueError(f"a mask on a grid of {size[0]} x {size[1]}")
    area = size[0] * size[1]
    if min(size) < 1 or counts.max(initial=0) > area or counts.sum() != area:
        raise ValueError(f"run lengths for {counts.sum()} pixels do not fill {size[0]} x {size[1]}")
    return Rle(size, counts)


def crop(
    mask: Polygon | Rle, picture: tuple[int, int], target: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], int, int]:
    """A mask on a grid that covers the whole picture, cut to where it is.

    Args:
        mask: The mask.
        picture: (width, height) of the original picture.
        target: (width, height) of the grid wanted.

    Returns:
        bool array (height, width) of the tight cut-out, and its left and top pixel on the grid.
        A mask that is empty on that grid is an array of shape (0, 0).
    """
    if isinstance(mask, Rle):
        bits, left, top = _crop_rle(mask, target)
    else:
        bits, left, top = _crop_polygon(mask, picture, target)
    columns, rows = np.flatnonzero(bits.any(axis=0)), np.flatnonzero(bits.any(axis=1))
    if not len(columns):
        return np.zeros((0, 0), dtype=bool), 0, 0
    tight = bits[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return tight, left + int(columns[0]), top + int(rows[0])


def _crop_rle(mask: Rle, target: tuple[int, int]) -> tuple[npt.NDArray[np.bool_], int, int]:
    height, width = mask.size
    runs = np.arange(len(mask.counts)) % 2 == 1  # background first
    grid = np.repeat(runs, mask.counts).reshape(width, height).T  # columns first
    columns, rows = np.flatnonzero(grid.any(axis=0)), np.flatnonzero(grid.any(axis=1))
    if not len(columns):
        return np.zeros((0, 0), dtype=bool), 0, 0
    across = _nearest(columns[0], columns[-1] + 1, width, target[0])
    down = _nearest(rows[0], rows[-1] + 1, height, target[1])
    return grid[down[0][:, None], across[0]], across[1], down[1]


def _nearest(start: int, stop: int, size: int, target: int) -> tuple[npt.NDArray[np.intp], int]:
    """For the target cells with centres in start..stop: the source cells, and the first cell."""
    first = int(np.ceil(start * target / size - 0.5))
    cells = np.arange(first, int(np.ceil(stop * target / size - 0.5)))
    source = ((cells + 0.5) * size / target).astype(np.intp)
    return source.clip(start, stop - 1), first


def _crop_polygon(
    mask: Polygon, picture: tuple[int, int], target: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], int, int]:
    import cv2

    points = np.rint(mask.points * (np.array(target) / np.array(picture)))
    points = points.clip(-1e6, 1e6).astype(np.int32)  # OpenCV fails at wilder corners
    left, top = points.min(axis=0).clip(0)
    right, bottom = np.minimum(points.max(axis=0) + 1, target)
    if right <= left or bottom <= top:
        return np.zeros((0, 0), dtype=bool), 0, 0
    canvas = np.zeros((bottom - top, right - left), dtype=np.uint8)
    cv2.fillPoly(canvas, [points - np.array([left, top], dtype=np.int32)], 1)
    return canvas.astype(bool), int(left), int(top)


def stack(
    masks: Sequence[Polygon | Rle | None],
    picture: tuple[int, int],
    target: tuple[int, int] | None = None,
    *,
    dense_limit: int = _DENSE_LIMIT,
) -> Any:
    """Masks as ``sv.Detections.mask`` takes them; one that is None is empty.

    Args:
        masks: The masks.
        picture: (width, height) of the original picture.
        target: (width, height) of the grid wanted; None for the picture's own.
        dense_limit: Elements up to which the answer is an ordinary array.

    Returns:
        bool array (n, height, width), or a ``supervision.CompactMask`` of that shape.
    """
    width, height = target or picture
    empty: npt.NDArray[np.bool_] = np.zeros((0, 0), dtype=bool)
    crops = [
        (empty, 0, 0) if mask is None else crop(mask, picture, (width, height)) for mask in masks
    ]
    if len(masks) * width * height > dense_limit:
        return _compact(crops, (height, width))
    dense = np.zeros((len(masks), height, width), dtype=bool)
    for layer, (bits, x, y) in zip(dense, crops, strict=True):
        layer[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    return dense


def _compact(
    crops: Sequence[tuple[npt.NDArray[np.bool_], int, int]], shape: tuple[int, int]
) -> Any:
    from supervision import CompactMask

    parts = []
    for bits, x, y in crops:
        some = bits if bits.size else np.zeros((1, 1), dtype=bool)
        rows, columns = some.shape
        box = np.array([[0, 0, columns - 1, rows - 1]])  # supervision's last pixel is inside
        part = CompactMask.from_dense(some[None], box, image_shape=some.shape)
        parts.append(part.with_offset(x, y, new_image_shape=shape))
    return CompactMask.merge(parts)
